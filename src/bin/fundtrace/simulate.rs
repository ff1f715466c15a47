//! `fundtrace simulate`: a chain with known truth into a folder.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use fundtrace::bitcoin::{Network, TxOut};
use fundtrace::chain::Writer;
use fundtrace::simulate::{BlockFiles, Card, Mined, Programme, World, WorldSpec};
use fundtrace::source::raw;
use fundtrace::truth::Row;
use fundtrace::{Chain, Error};
use tempfile::NamedTempFile;

use crate::store::Bytes;
use crate::{input, progress, store};

/// Make a chain whose truth is known: people, exchanges, mixers, thieves; the same seed makes the same bytes everywhere.
///
/// Writes into DIR the chain (chain.store, blocks/blk*.dat or transactions.jsonl), truth.jsonl (who owned what, what was stolen and where it went) and
/// world.json (what the world was made of), and prints the calibration card: published shares beside those of this chain.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    /// At least so many transactions, coinbases not counted.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    txs: u64,
    /// The seed.
    #[arg(long, value_name = "S")]
    seed: u64,
    /// A folder that is not there yet, or is empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// As what the chain is written: a store, Bitcoin Core's block files, or raw transactions in JSON lines.
    #[arg(long = "as", value_enum, default_value_t = Shape::Store)]
    shape: Shape,
    /// What a thief does with the loot, such as "wait 50, split 4, peel 120, join, exchange", or "hoard"; once for each theft. Without it, the usual thefts.
    #[arg(long = "theft", value_name = "PROGRAMME", value_parser = str::parse::<Programme>)]
    thefts: Vec<Programme>,
    /// Print the calibration card as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Store,
    Blk,
    Raw,
}

/// Where the chain goes.
enum Sink {
    Store(Box<Writer>),
    Blocks(BlockFiles),
    Lines(BufWriter<NamedTempFile>),
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let made = make(args).map_err(|error| error.within(args.out.display()))?;
    // Truth.jsonl and world.json are there only when the chain is: their names say that the world is whole.
    let card = Card::of(made.view());
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &card).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{card}")?;
    }
    Ok(())
}

fn make(args: &Args) -> Result<Chain<Bytes>, Error> {
    let folder = &args.out;
    std::fs::create_dir_all(folder)?;
    if std::fs::read_dir(folder)?.next().is_some() {
        return Err(IoError::new(ErrorKind::AlreadyExists, "the folder is not empty; name a new one").into());
    }
    let mut spec = WorldSpec::new(args.txs);
    if !args.thefts.is_empty() {
        spec = spec.thefts(args.thefts.clone());
    }
    let mut sink = Sink::open(args.shape, folder)?;
    let mut truth = BufWriter::with_capacity(1 << 20, hidden(folder)?);
    let mut world = World::new(spec.clone(), args.seed);
    let bar = progress::transactions(args.txs);
    let mut blocks = 0_u64;
    for mined in &mut world {
        blocks += 1;
        bar.inc(u64::try_from(mined.truth().len().saturating_sub(1)).unwrap_or(0));
        sink.block(&mined)?;
        mined.rows().try_for_each(|row| row.write_to(&mut truth))?;
    }
    for theft in world.thefts() {
        Row::Theft(theft.clone()).write_to(&mut truth)?;
    }
    bar.finish_and_clear();
    let chain = sink.finish(folder)?;
    let made = serde_json::json!({
        "fundtrace": env!("CARGO_PKG_VERSION"),
        "seed": args.seed,
        "spec": spec,
        "blocks": blocks,
        "thefts": world.thefts().count(),
        "store_hash": chain.store_hash().to_string(),
    });
    let mut about = BufWriter::new(hidden(folder)?);
    serde_json::to_writer_pretty(&mut about, &made).map_err(IoError::from)?;
    writeln!(about)?;
    name(truth, &folder.join("truth.jsonl"))?;
    name(about, &folder.join("world.json"))?;
    Ok(chain)
}

/// A file that has no name yet that anything reads.
fn hidden(folder: &Path) -> Result<NamedTempFile, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".world.").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    Ok(builder.tempfile_in(folder)?)
}

fn name(file: BufWriter<NamedTempFile>, path: &Path) -> Result<(), Error> {
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(IoError::from)?;
    Ok(())
}

impl Sink {
    fn open(shape: Shape, folder: &Path) -> Result<Self, Error> {
        Ok(match shape {
            Shape::Store => Self::Store(Box::new(Writer::new(Network::Regtest, folder))),
            Shape::Blk => {
                let blocks = folder.join("blocks");
                std::fs::create_dir(&blocks)?;
                Self::Blocks(BlockFiles::new(&blocks))
            }
            Shape::Raw => Self::Lines(BufWriter::new(hidden(folder)?)),
        })
    }

    fn block(&mut self, mined: &Mined) -> Result<(), Error> {
        match self {
            Self::Store(writer) => writer.block(mined.height(), mined.block().header, mined.records()),
            Self::Blocks(files) => files.block(mined.block()),
            Self::Lines(file) => {
                let (height, time) = (Some(mined.height().to_u32()), Some(mined.block().header.time));
                // What an input spends stands in an earlier line.
                let unknown: [Option<TxOut>; 0] = [];
                for tx in &mined.block().txdata {
                    writeln!(file, "{}", raw::line(tx, height, time, &unknown))?;
                }
                Ok(())
            }
        }
    }

    /// Gives the chain its name and opens it.
    fn finish(self, folder: &Path) -> Result<Chain<Bytes>, Error> {
        let forms = input::FormArgs::default();
        match self {
            Self::Store(writer) => {
                let path = folder.join("chain.store");
                writer.finish()?.save(&path)?;
                store::open(&path)
            }
            Self::Blocks(files) => {
                files.finish()?;
                input::load(&[folder.join("blocks")], &forms, Some(Network::Regtest))
            }
            Self::Lines(file) => {
                let path = folder.join("transactions.jsonl");
                name(file, &path)?;
                input::load(&[path], &forms, Some(Network::Regtest))
            }
        }
    }
}
