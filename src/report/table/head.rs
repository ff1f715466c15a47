//! What went in, and under which conventions.

use std::io::Write;

use super::grouped;
use crate::chain::Counts;
use crate::error::Error;
use crate::report::{Manifest, visible};
use crate::trace::Fees;

pub(super) fn head(manifest: &Manifest, to: &mut impl Write) -> Result<(), Error> {
    let Counts { transactions, transactions_proven, stubs, prevouts_proven, prevouts_claimed, .. } =
        manifest.input.counts;
    let as_of = manifest.view.as_of.map_or("all of it".to_owned(), |height| format!("as of height {height}"));
    writeln!(to, "fundtrace {}, {}, {as_of}", manifest.fundtrace, manifest.network)?;
    writeln!(to, "input   {}", manifest.input.sha256)?;
    writeln!(
        to,
        "        {transactions} transactions ({transactions_proven} proven by their bytes), {stubs} more only known as spent; \
         prevouts: {prevouts_proven} proven, {prevouts_claimed} claimed"
    )?;
    for txid in &manifest.view.left_out {
        writeln!(to, "        left out, its height is unknown: {txid}")?;
    }
    for seed in &manifest.seeds {
        let label = if seed.label == seed.given { String::new() } else { format!("{}: ", visible(&seed.label)) };
        writeln!(to, "seed    {label}{}", visible(&seed.given))?;
        for outpoint in &seed.left_out {
            writeln!(to, "        left out, its height is unknown: {outpoint}")?;
        }
        for (outpoint, sat) in &seed.outputs {
            writeln!(to, "        {outpoint}  {} sat", grouped(*sat))?;
        }
    }
    for file in &manifest.tags {
        let changed = file.changed.map_or(String::new(), |(first, last)| format!(", changed {first} to {last}"));
        let left_out = match file.elsewhere.values().sum::<u64>() + crate::id::number(file.unusable) {
            0 => String::new(),
            left_out => format!(", {left_out} left out"),
        };
        writeln!(to, "tags    {}: {} used{left_out}{changed}", visible(&file.name), file.tags)?;
        writeln!(to, "        sha256 {}", file.sha256)?;
    }
    for outpoint in &manifest.unseeded {
        writeln!(to, "seed    NOT USED, it is not in view or its value is unknown: {outpoint}")?;
    }
    if let Some(owners) = &manifest.owners {
        let moves = if owners.entities { "; what stays inside one cluster is no move" } else { "" };
        writeln!(to, "owners  inferred by {}{moves}", crate::trace::told(&owners.rules))?;
    }
    if let Some(peels) = &manifest.peels {
        writeln!(to, "peels   {} with {}: {}", peels.rule, peels.change, peels.terms_told())?;
    }
    let options = manifest.conventions.options;
    let order = match options.fees {
        Fees::Coinbase => format!(" ({})", options.coinbase_order.as_str()),
        _ => String::new(),
    };
    writeln!(to, "fees    {}{order}; stops: {}", options.fees.as_str(), manifest.stop)?;
    Ok(())
}
