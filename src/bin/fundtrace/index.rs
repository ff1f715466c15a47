//! `fundtrace index`: whole chains into a store.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::source::blk::{self, Blocks};
use fundtrace::{BlockHeight, Error, spec};

use crate::{input, progress, store};

/// Read a chain once and write it as a store, which every other subcommand opens at once.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    /// Bitcoin Core's blocks folder (its blk*.dat and xor.dat; the node may be running), single block files, or transactions in any
    /// other form that `trace` reads.
    #[arg(value_name = "SOURCE", required = true)]
    source: Vec<PathBuf>,
    /// Where to write the store. It appears only when it is whole.
    #[arg(long, value_name = "STORE")]
    out: PathBuf,
    /// The network: mainnet (or bitcoin), testnet, testnet4, signet, regtest. With --append, that of the store.
    #[arg(long, value_name = "NAME", value_parser = spec::network)]
    network: Option<Network>,
    /// Go on with the store at --out: add the blocks above it, and roll back what a reorganisation has made stale.
    #[arg(long)]
    append: bool,
    /// Where a block's parent is missing, stop below the gap instead of refusing.
    #[arg(long)]
    to_gap: bool,
    /// Read blocks up to this height only.
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    to: Option<BlockHeight>,
    #[command(flatten)]
    forms: input::FormArgs,
}

fn height(text: &str) -> Result<BlockHeight, std::num::ParseIntError> {
    text.parse().map(BlockHeight::from_u32)
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let network = args.network.unwrap_or(Network::Bitcoin);
    if !args.source.iter().all(|path| blk::is_here(path)) {
        return records(args, network);
    }
    let folder = folder(&args.out);
    tell_leftovers(folder, &args.out);
    if args.append && args.out.exists() {
        let stored = store::open(&args.out)?;
        let known = stored.network();
        if args.network.is_some_and(|network| network != known) {
            let what = format!("the store is of {known}; leave --network out, or index into another store");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what).into());
        }
        let mut blocks = Blocks::beyond(&args.source, &stored, args.to_gap)?;
        cut(&mut blocks, args.to);
        warn(&blocks);
        let at = blocks.fork().unwrap_or_default();
        let tip = stored.view().tip().unwrap_or_default();
        if blocks.is_empty() && at == tip {
            eprintln!("{}: nothing to add, the tip stays at height {tip}", args.out.display());
            return Ok(());
        }
        let writer = Writer::resume(&stored, at, folder)?;
        if at < tip {
            eprintln!("{}: rolled back from height {tip} to {at}", args.out.display());
        }
        write(&blocks, writer, &args.out)
    } else {
        let mut blocks = if args.to_gap {
            Blocks::open_to_gap(&args.source, network)?
        } else {
            Blocks::open(&args.source, network)?
        };
        cut(&mut blocks, args.to);
        warn(&blocks);
        write(&blocks, Writer::new(network, folder), &args.out)
    }
}

/// A run that was killed while it saved leaves its temporary file; whether another run still writes it cannot be known from here.
fn tell_leftovers(folder: &Path, out: &Path) {
    let prefix = format!(".{}.", out.file_name().unwrap_or_default().to_string_lossy());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(".partial") {
            let path = entry.path();
            eprintln!(
                "fundtrace: {}: left by a run that was killed, or being written; delete it if none runs",
                path.display()
            );
        }
    }
}

fn cut(blocks: &mut Blocks, to: Option<BlockHeight>) {
    if let Some(height) = to {
        blocks.cut(height);
    }
}

fn warn(blocks: &Blocks) {
    for line in blocks.ignored() {
        eprintln!("fundtrace: passed over: {line}");
    }
}

fn write(blocks: &Blocks, mut writer: Writer, out: &Path) -> Result<(), Error> {
    let bar = progress::bytes(blocks.size());
    blocks.write_to(&mut writer, |at| progress::show(&bar, at))?;
    bar.set_message("putting the store together");
    let saved = writer.finish().and_then(|store| store.save(out));
    bar.finish_and_clear();
    saved
}

/// Where the files without a name go: beside the store, where there is room for it.
fn folder(out: &Path) -> &Path {
    out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Sources of single transactions, in any order: frozen in memory.
fn records(args: &Args, network: Network) -> Result<(), Error> {
    if args.append {
        let what = "--append takes block files; of other sources index everything anew";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what).into());
    }
    input::freeze(&args.source, &args.forms, network)?.save(&args.out)
}
