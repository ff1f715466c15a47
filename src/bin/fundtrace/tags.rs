//! `--tags` and `--stop-at`: files of tags, the same in every subcommand that asks who stands behind an address.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use fundtrace::bitcoin::Network;
use fundtrace::cluster::{self, Carried, Clusters};
use fundtrace::report::Report;
use fundtrace::report::tagpack::{self, Head};
use fundtrace::spec::Case;
use fundtrace::tag::{self, Listing, Pack, Tags};
use fundtrace::{Error, View};

use crate::save::save;

/// How many rows of no use are named; the rest is counted.
const SHOWN_MAX: usize = 5;

/// Who stands behind addresses, and where to stop.
#[derive(Args, Clone, Default, Debug)]
pub(crate) struct TagArgs {
    /// Files of tags: GraphSense TagPacks (YAML), CSV with a first line that names the columns (address and label at least), or lists of sanctioned
    /// addresses; recognised by what they hold. The trace stops at tagged addresses. The first file is trusted most; name INPUT before this option.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) tags: Vec<PathBuf>,
    /// Stop only at tags of these categories (abuses and concepts count as well); tags of others, and tags without any, are shown and passed.
    #[arg(long, value_name = "CATEGORY,...", value_delimiter = ',', value_parser = category)]
    pub(crate) stop_at: Vec<String>,
}

fn category(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("a category is empty; write CATEGORY,CATEGORY".into()) } else { Ok(text.to_owned()) }
}

/// What the files say, and how the manifest names them.
#[derive(Default, Debug)]
pub(crate) struct Known {
    pub(crate) tags: Tags,
    pub(crate) listings: Vec<Listing>,
}

/// The tags of a case: its own, those of the files it names, which are relative to it, and then those of more files.
pub(crate) fn of_case(case: &Case, file: Option<&Path>, more: &[PathBuf], network: Network) -> Result<Known, Error> {
    let in_case = |error: Error| match file {
        Some(path) => error.within(path.display()),
        None => error,
    };
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let named: Vec<PathBuf> = case.tag_file.iter().map(|name| folder.join(name)).collect();
    let mut known = Known { tags: case.tags(network).map_err(in_case)?, listings: Vec::new() };
    for path in named.iter().chain(more) {
        let pack = read(path, network)?;
        known.tags.add(&pack);
        known.listings.push(pack.listing());
    }
    Ok(known)
}

/// Reads a file of tags, and says on standard error what of it is not used.
pub(crate) fn read(path: &Path, network: Network) -> Result<Pack, Error> {
    let here = |error: Error| error.within(path.display());
    let file = File::open(path).map_err(|error| here(error.into()))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let pack = tag::read(&name, file, None, network).map_err(here)?;
    tell(path, &pack);
    Ok(pack)
}

/// Says which of the categories to stop at are no tag's: a misspelt one would stop nothing in silence.
pub(crate) fn tell_categories(tags: &Tags, stop_at: &[String]) {
    let is_known = |category: &String| tags.iter().flat_map(|(_, tags)| tags).any(|tag| tag.is_of(category));
    for category in stop_at.iter().filter(|category| !is_known(category)) {
        let _ =
            writeln!(std::io::stderr(), "fundtrace: no tag is of the category {category:?}, so nothing stops for it");
    }
}

/// Carries tags on to clusters, made by the rules named: those that say they stand for a cluster.
pub(crate) fn over_clusters(view: View<'_>, clusters: &Clusters, tags: &Tags, rules: &[cluster::Rule]) -> Tags {
    let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
    cluster::spread(view, clusters, tags, &rules.join(", "), Carried::Definers)
}

/// Writes what a run infers of addresses.
pub(crate) fn write(path: &Path, report: &Report<'_, '_>) -> Result<(), Error> {
    let found = tagpack::findings(report);
    let head = Head::new("Findings of a trace", concat!("fundtrace ", env!("CARGO_PKG_VERSION")))
        .description(format!("inferences, not facts; manifest sha256 {}", report.manifest().sha256()));
    save(path, |to| {
        let written = tagpack::write(&head, found.iter().map(|(address, tag)| (address, tag)), to);
        written.map_err(std::io::Error::other)
    })
}

/// Words come from a stranger, and must not move the cursor.
fn tell(path: &Path, pack: &Pack) {
    let mut lines = Vec::new();
    if !pack.elsewhere().is_empty() {
        let coin = |(coin, count): (&String, &u64)| format!("{count} {}", coin.escape_debug());
        let coins: Vec<String> = pack.elsewhere().iter().map(coin).collect();
        lines.push(format!("tags on other chains are left out: {}", coins.join(", ")));
    }
    lines.extend(pack.unusable().iter().take(SHOWN_MAX).map(ToString::to_string));
    if pack.unusable().len() > SHOWN_MAX {
        lines.push(format!("{} more rows cannot be used", pack.unusable().len() - SHOWN_MAX));
    }
    if !pack.unread().is_empty() {
        let names: Vec<String> = pack.unread().iter().map(|name| name.escape_debug().to_string()).collect();
        lines.push(format!("these columns are not read: {}", names.join(", ")));
    }
    for line in lines {
        // Nothing is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "fundtrace: {}: {line}", path.display());
    }
}
