//! Files of tags: every public one at hand, hostile ones, what spreads over clusters, and where a trace stops.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use fundtrace::Error;
use fundtrace::bitcoin::{Address, Network, ScriptBuf};
use fundtrace::tag::{self, Form, Level, Pack, Tag, Tags};

use crate::mini::script;
use crate::reference::folder;

fn bytes(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "zst") {
        let mut plain = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&bytes[..]).unwrap().read_to_end(&mut plain).unwrap();
        return plain;
    }
    bytes
}

/// Every file of a folder that is read, by name.
fn packs(folder: &Path, extensions: &[&str]) -> BTreeMap<String, Pack> {
    let mut packs = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".zst").to_owned();
        if extensions.iter().any(|extension| name.ends_with(extension)) {
            let pack = tag::read(&name, &bytes(&path)[..], None, Network::Bitcoin);
            packs.insert(name.clone(), pack.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
    }
    packs
}

fn listed(packs: &BTreeMap<String, Pack>) -> Vec<(&str, usize, u64, usize)> {
    let row = |(name, pack): (&'_ String, &'_ Pack)| {
        let listing = pack.listing();
        (listing.tags, listing.elsewhere.values().sum(), listing.unusable, name.len())
    };
    packs
        .iter()
        .map(|(name, pack)| (name.as_str(), row((name, pack)).0, row((name, pack)).1, row((name, pack)).2))
        .collect()
}

#[test]
fn every_public_tagpack_loads() {
    let Some(folder) = folder() else { return };
    let packs = packs(&folder.join("attribution_graphsense_tagpacks"), &[".yaml"]);
    for row in listed(&packs) {
        println!("{row:?}");
    }
    for (name, pack) in &packs {
        for unusable in pack.unusable() {
            println!("{name}: {unusable}");
        }
    }
    panic!();
}
#[test]
fn lists() {
    let Some(folder) = folder() else { return };
    for (folder, ext) in [("attribution_ofac", ".txt"), ("attribution_btc_entities", ".csv")] {
        let packs = packs(&self::folder().unwrap().join(folder), &[ext]);
        for row in listed(&packs) {
            println!("{row:?}");
        }
        for (name, pack) in &packs {
            for unusable in pack.unusable() {
                println!("{name}: {unusable}");
            }
        }
    }
    panic!();
}
