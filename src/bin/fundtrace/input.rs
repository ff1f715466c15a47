//! INPUT, `--from`, `--network` and `--complete`: the same in every subcommand.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use fundtrace::bitcoin::Network;
use fundtrace::source::{self, Form};
use fundtrace::{BlockHeight, Chain, ChainBuilder, Error, spec};

/// What to read.
#[derive(Args, Debug)]
pub(crate) struct InputArgs {
    /// Files or directories with transactions, or `-` for standard input. Of a directory, its *.json, *.jsonl and *.ndjson.
    #[arg(value_name = "INPUT")]
    pub(crate) input: Vec<PathBuf>,
    /// The form of the input: raw, esplora, rpc or bitcoin-etl; recognised when not given.
    #[arg(long, value_name = "FORM", value_parser = str::parse::<Form>)]
    pub(crate) from: Option<Form>,
    /// The network: mainnet (or bitcoin), testnet, testnet4, signet, regtest.
    #[arg(long, value_name = "NAME", value_parser = spec::network)]
    pub(crate) network: Option<Network>,
    /// Every transaction of the blocks at these heights, both included, is in the input; only then can it show that an output is unspent.
    #[arg(long, value_name = "FROM-TO", value_parser = complete)]
    pub(crate) complete: Option<Complete>,
}

/// The heights of the first and the last block that are complete.
pub(crate) type Complete = (BlockHeight, BlockHeight);

fn complete(text: &str) -> Result<Complete, Error> {
    spec::heights(text)
}

/// Reads all inputs into one chain.
pub(crate) fn read(
    input: &[PathBuf],
    from: Option<Form>,
    network: Network,
    complete: Option<Complete>,
) -> Result<Chain, Error> {
    let mut builder = ChainBuilder::new().network(network);
    if let Some((from, to)) = complete {
        builder = builder.complete(from, to);
    }
    for path in input {
        for file in files(path).map_err(|error| Error::from(error).within(path.display()))? {
            read_file(&file, from, &mut builder).map_err(|error| error.within(file.display()))?;
        }
    }
    // One file may well be an address's empty page, but all of them together are a mistake.
    if builder.is_empty() {
        return Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the input holds no transaction").into());
    }
    builder.finish()
}

fn read_file(path: &Path, from: Option<Form>, builder: &mut ChainBuilder) -> Result<(), Error> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        bytes
    } else {
        std::fs::read(path)?
    };
    let form = match from {
        // An empty file is an error whatever its form.
        Some(form) if !bytes.trim_ascii().is_empty() => form,
        _ => Form::of(&bytes)?,
    };
    for tx in source::read(form, bytes.as_slice()) {
        builder.insert(tx?)?;
    }
    Ok(())
}

/// A file itself, or the files of a directory by name.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if path == Path::new("-") || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if file.is_file() && matches!(extension, Some("json" | "jsonl" | "ndjson")) {
            files.push(file);
        }
    }
    if files.is_empty() {
        let what = "the directory holds no *.json, *.jsonl or *.ndjson file";
        return Err(std::io::Error::new(std::io::ErrorKind::NotFound, what));
    }
    files.sort();
    Ok(files)
}
