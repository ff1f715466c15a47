//! `--allow` and `--veto`: transactions that are mixes, and such as are none, whatever the rules say. The same in `detect` and `trace`.

use std::collections::BTreeSet;
use std::io::{Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use fundtrace::bitcoin::Txid;
use fundtrace::detect::coinjoin::Rules;
use fundtrace::{Error, View};

/// What is known of mixes beside the rules.
#[derive(Args, Clone, Default, Debug)]
pub(crate) struct ListArgs {
    /// A file of transactions that are mixes whatever the rules say, a txid a line; empty lines and those that begin with # are skipped.
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// A file of transactions that are none, in the same form. What is in both files is a mix.
    #[arg(long, value_name = "FILE")]
    veto: Option<PathBuf>,
}

impl ListArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.allow.is_none() && self.veto.is_none()
    }

    /// The rules for mixes with these lists.
    pub(crate) fn rules(&self) -> Result<Rules, Error> {
        let mut rules = Rules::default();
        rules.allow = txids(self.allow.as_deref())?;
        rules.veto = txids(self.veto.as_deref())?;
        Ok(rules)
    }
}

/// Reads a list of transactions; none where there is no file.
pub(crate) fn txids(path: Option<&Path>) -> Result<BTreeSet<Txid>, Error> {
    let Some(path) = path else { return Ok(BTreeSet::new()) };
    let text = std::fs::read_to_string(path).map_err(|error| Error::from(error).within(path.display()))?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut txids = BTreeSet::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let bad = |_| IoError::new(ErrorKind::InvalidData, format!("{text:?} is no txid; write one a line"));
        let txid = text.parse().map_err(bad);
        txids.insert(txid.map_err(|error| Error::from(error).within(format!("{}, line {line}", path.display())))?);
    }
    Ok(txids)
}

/// Says how many transactions of the lists are not in the input: they change nothing, and a list of another network is easily taken.
pub(crate) fn tell_missing(view: View<'_>, rules: &Rules) {
    for (name, list) in [("--allow", &rules.allow), ("--veto", &rules.veto)] {
        let missing = list.iter().filter(|txid| view.tx_at(txid).is_none()).count();
        if missing > 0 {
            let all = list.len();
            // Nothing is left to tell when standard error is closed.
            let _ =
                writeln!(std::io::stderr(), "fundtrace: {name}: {missing} of {all} transactions are not in the input");
        }
    }
}
