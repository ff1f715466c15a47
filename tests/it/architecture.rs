//! ARCHITECTURE.md's checkable invariants: import order, who names rayon, who prints, and that no case is named in the library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The modules in the order of ARCHITECTURE.md's table: its rows' second column.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let modules: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(2)?.trim().strip_prefix('`')?.strip_suffix('`').map(str::to_owned))
        .collect();
    assert_eq!(modules.first().map(String::as_str), Some("error"));
    modules
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every file of `src` with its module (`bin` for the command) and its code: no comments, no test modules.
fn files() -> Vec<(String, String, String)> {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
            let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text
                .split("#[cfg(test)]")
                .next()
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            (name, module, code.join("\n"))
        })
        .filter(|(_, module, _)| module != "lib" && module != "_documentation")
        .collect()
}

/// The top-level modules that a file names after `crate::` (or `fundtrace::` in the command).
fn named(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            modules.extend(list.split('}').next().unwrap().split(',').map(|item| first_word(item.trim())));
        } else {
            modules.push(first_word(rest));
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// Where the crate root's re-exports live.
fn home(name: &str) -> &str {
    match name {
        "BlockHeight" | "TxIndex" | "OutputIndex" | "SourceIndex" | "AddressIndex" | "ClusterIndex" => "id",
        "Chain" | "ChainBuilder" | "View" => "chain",
        "Error" => "error",
        "Trace" => "trace",
        other => other,
    }
}

#[test]
fn modules_import_downward_only() {
    let order = order();
    let rank: BTreeMap<&str, usize> = order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let files = files();
    assert!(files.len() > 30);
    for (file, module, code) in &files {
        let at = *rank.get(module.as_str()).unwrap_or_else(|| panic!("ARCHITECTURE.md lacks the module of src/{file}"));
        for name in named(code) {
            if module == "bin" {
                continue;
            }
            let used = home(&name);
            let below = *rank.get(used).unwrap_or_else(|| panic!("src/{file} names crate::{name}, which has no place"));
            // `error` knows the heights that its messages name, and `id` knows nothing.
            let allowed = below <= at || (module == "error" && used == "id");
            assert!(allowed, "src/{file} uses crate::{name}, which stands below `{module}` in ARCHITECTURE.md");
        }
    }
    for name in &order {
        assert!(
            files.iter().any(|(_, module, _)| module == name),
            "ARCHITECTURE.md names `{name}`, which is not there"
        );
    }
}

#[test]
fn only_par_names_rayon_and_only_the_command_prints_or_asks_the_world() {
    for (file, module, code) in files() {
        assert!(module == "par" || !code.contains("rayon"), "src/{file} names rayon");
        if module == "bin" {
            continue;
        }
        for word in [
            "println!",
            "print!(",
            "std::env",
            "SystemTime",
            "Instant::",
            "std::net",
            "thread_rng",
            "f64",
            "f32",
            ".unwrap()",
        ] {
            // Statistics are printed as decimals and handed over as floats; they are made of whole numbers, and money stays in
            // whole satoshis there too.
            if module == "eval" && word == "f64" {
                continue;
            }
            assert!(!code.contains(word), "src/{file} has {word}");
        }
        // Block files are read where they lie; a store is written beside its name and waits in nameless files.
        let opens = ["chain/write.rs", "chain/write/scratch.rs", "chain/save.rs", "simulate/blk.rs"]
            .contains(&file.as_str())
            || file.starts_with("source/blk");
        let reads = ["std::fs", "File::open"].iter().any(|word| code.contains(word));
        assert!(opens || !reads, "src/{file} opens files");
    }
}

#[test]
fn positions_are_cast_in_one_place() {
    for (file, module, code) in files() {
        assert!(module == "id" || !code.contains("as usize"), "src/{file} casts to usize");
    }
}

#[test]
fn no_txid_address_or_fixture_is_named_in_the_library() {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            let txid = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let address = word.parse::<fundtrace::bitcoin::Address<_>>().is_ok();
            assert!(!txid && !address, "{} names {word}", path.display());
        }
        assert!(!text.contains("fixtures/"), "{} names a fixture", path.display());
    }
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let mut paths = Vec::new();
    sources(&root().join("tests/it"), &mut paths);
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "tests/it/main.rs lacks `mod {name};`");
    }
}
