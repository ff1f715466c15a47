//! INPUT, `--from`, `--network` and `--complete`: the same in every subcommand.

use std::fs::File;
use std::io::{BufReader, Error as IoError, ErrorKind, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::source::blk::{self, Blocks};
use fundtrace::source::{self, FileSet, Form};
use fundtrace::spec::{self, ResolvedSeed};
use fundtrace::{BlockHeight, Chain, ChainBuilder, Error, View};

use crate::progress;
use crate::store::{self, Bytes};

/// What to read.
#[derive(Args, Debug)]
pub(crate) struct InputArgs {
    /// A store that `index` wrote, Bitcoin Core's blocks folder, or files and directories with transactions, or `-` for standard
    /// input. Of a directory, its *.json, *.jsonl and *.ndjson.
    #[arg(value_name = "INPUT")]
    pub(crate) input: Vec<PathBuf>,
    /// The network: mainnet (or bitcoin), testnet, testnet4, signet, regtest. A store knows its own.
    #[arg(long, value_name = "NAME", value_parser = spec::network)]
    pub(crate) network: Option<Network>,
    #[command(flatten)]
    pub(crate) forms: FormArgs,
}

/// How transactions are to be read.
#[derive(Args, Clone, Copy, Default, Debug)]
pub(crate) struct FormArgs {
    /// The form of the transactions: raw, esplora, rpc or bitcoin-etl; recognised when not given.
    #[arg(long, value_name = "FORM", value_parser = str::parse::<Form>)]
    pub(crate) from: Option<Form>,
    /// Every transaction of the blocks at these heights, both included, is in the input; only then can it show that an output is unspent.
    /// Of stores and block files this is known.
    #[arg(long, value_name = "FROM-TO", value_parser = complete)]
    pub(crate) complete: Option<Complete>,
}

/// The heights of the first and the last block that are complete.
pub(crate) type Complete = (BlockHeight, BlockHeight);

fn complete(text: &str) -> Result<Complete, Error> {
    spec::heights(text)
}

/// Whether this is one store, which knows its network and its whole blocks.
pub(crate) fn is_store(paths: &[PathBuf]) -> bool {
    matches!(paths, [path] if store::is_here(path))
}

/// Whether these are block files, which are of whole blocks.
pub(crate) fn is_of_blocks(paths: &[PathBuf]) -> bool {
    !paths.is_empty() && paths.iter().all(|path| blk::is_here(path))
}

/// The outputs that a seed's address received at heights that nobody knows, and that are no seeds therefore.
pub(crate) fn left_out(view: View<'_>, given: &[ResolvedSeed]) -> Vec<String> {
    let outputs = given.iter().flat_map(|seed| &seed.left_out);
    outputs.map(|output| view.output(*output).outpoint().to_string()).collect()
}

/// Opens a store, or reads everything else into a chain.
pub(crate) fn load(paths: &[PathBuf], forms: &FormArgs, network: Option<Network>) -> Result<Chain<Bytes>, Error> {
    if let [path] = paths
        && store::is_here(path)
    {
        let chain = store::open(path)?;
        if let Some(given) = network.filter(|given| *given != chain.network()) {
            let what = format!("the store is of {}, not of {given}; leave --network out", chain.network());
            return Err(invalid(what).within(path.display()));
        }
        return Ok(chain);
    }
    if let Some(path) = paths.iter().find(|path| store::is_here(path)) {
        return Err(invalid("a store stands alone; name no other input beside it").within(path.display()));
    }
    let network = network.unwrap_or(Network::Bitcoin);
    if is_of_blocks(paths) {
        return blocks(paths, network);
    }
    let chain = freeze(paths, forms, network)?;
    Chain::from_bytes(Bytes::Owned(chain.into_bytes()))
}

/// Block files without a store: one is written where nobody sees it.
fn blocks(paths: &[PathBuf], network: Network) -> Result<Chain<Bytes>, Error> {
    let blocks = Blocks::open(paths, network)?;
    let folder = std::env::temp_dir();
    let mut writer = Writer::new(network, &folder);
    let bar = progress::bytes(blocks.size());
    blocks.write_to(&mut writer, |at| progress::show(&bar, at))?;
    bar.finish_and_clear();
    let mut file = tempfile::tempfile_in(&folder)?;
    writer.finish()?.write_to(std::io::BufWriter::new(&mut file))?;
    Chain::from_bytes(Bytes::Mapped(store::map(&file)?))
}

/// Reads transactions in any order and freezes them.
pub(crate) fn freeze(paths: &[PathBuf], forms: &FormArgs, network: Network) -> Result<Chain, Error> {
    let mut builder = ChainBuilder::new().network(network);
    if let Some((from, to)) = forms.complete {
        builder = builder.complete(from, to);
    }
    for path in paths {
        // An export of several files is read together; what is left of a folder is read file by file.
        let names = names(path).map_err(|error| Error::from(error).within(path.display()))?;
        let sets = FileSet::among(&names.iter().map(String::as_str).collect::<Vec<_>>());
        if !sets.is_empty() {
            for set in sets {
                read_set(path, set, &mut builder).map_err(|error| error.within(path.display()))?;
            }
            continue;
        }
        for file in files(path).map_err(|error| Error::from(error).within(path.display()))? {
            read_file(&file, forms.from, &mut builder).map_err(|error| error.within(file.display()))?;
        }
    }
    // One file may well be an address's empty page, but all of them together are a mistake.
    if builder.is_empty() {
        return Err(IoError::new(ErrorKind::NotFound, "the input holds no transaction").into());
    }
    builder.finish()
}

/// The names of a folder's files; none of anything else.
fn names(path: &Path) -> std::io::Result<Vec<String>> {
    if path == Path::new("-") || !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn read_set(folder: &Path, set: FileSet<'_>, builder: &mut ChainBuilder) -> Result<(), Error> {
    let open = |name: &str| -> Result<BufReader<File>, Error> {
        File::open(folder.join(name)).map(BufReader::new).map_err(|error| Error::from(error).within(name))
    };
    match set {
        FileSet::BitcoinEtl { transactions, blocks } => {
            let blocks = blocks.map(open).transpose()?;
            for tx in source::bitcoin_etl::read(open(transactions)?, blocks) {
                builder.insert(tx.map_err(|error| error.within(transactions))?)?;
            }
        }
        FileSet::Csv(dump) => {
            let dump = source::csv::Dump {
                blocks: open(dump.blocks)?,
                transactions: open(dump.transactions)?,
                inputs: open(dump.inputs)?,
                outputs: open(dump.outputs)?,
            };
            for tx in source::csv::read(dump) {
                builder.insert(tx?)?;
            }
        }
        _ => return Err(invalid("a set of files that this command does not know")),
    }
    Ok(())
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    IoError::new(ErrorKind::InvalidInput, what.into()).into()
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
        let what = "the directory holds no blk*.dat, *.json, *.jsonl or *.ndjson file";
        return Err(IoError::new(ErrorKind::NotFound, what));
    }
    files.sort();
    Ok(files)
}
