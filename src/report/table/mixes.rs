//! The mixes of a run: what came to them, what lies behind them, and which they are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;

use bitcoin::{Amount, Txid};
use comfy_table::Cell;

use super::{ENDS_MAX, grouped, number, table};
use crate::detect::coinjoin::premix;
use crate::error::Error;
use crate::report::mix::{self, MixRows};
use crate::trace::{MixSheet, Trace};

/// What a rule carried to a transaction.
type Came = BTreeMap<Txid, (String, Vec<(&'static str, u64)>)>;

pub(super) fn write(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let all: Vec<_> = traces.iter().filter_map(|trace| Some((trace.policy().name, mix::rows(trace)?))).collect();
    let Some((_, first)) = all.first() else { return Ok(()) };
    sheets(&all, to)?;
    writeln!(
        to,
        "Through mixes: {}. A coin counts once for each mix; what is called a mix is an inference.",
        first.through
    )?;
    if matches!(first.through, "spread" | "links") {
        writeln!(
            to,
            "At these mixes the choice divides, not the rule of taint: that rules agree behind them says nothing."
        )?;
    }
    let crossed = all.iter().flat_map(|(policy, rows)| {
        rows.crossings.iter().map(|row| {
            let said = format!("{} ({}): {}", row.finding.protocol, row.finding.graded(), row.how.replace('_', " "));
            (row.txid, said, *policy, row.entered_sat)
        })
    });
    listed("Mixes on the way (inferences):", came(crossed), to)?;
    let suspected = all.iter().flat_map(|(policy, rows)| {
        rows.suspects.iter().map(|row| {
            let vetoed = if row.vetoed { ": said to be none by the caller's list" } else { "" };
            let said = format!("{} ({}){vetoed}", row.finding.protocol, row.finding.graded());
            (row.txid, said, *policy, row.entered_sat)
        })
    });
    listed("Passed as none, and may be mixes (inferences; --mix-confidence and --veto decide):", came(suspected), to)?;
    linked(&all, to)
}

/// What came to mixes and how the ends lie to them; columns of nothing but zero are left out, but for the two that every run has.
fn sheets(all: &[(&'static str, MixRows<'_>)], to: &mut impl Write) -> Result<(), Error> {
    type Column = (&'static str, fn(&MixSheet) -> Amount, bool);
    let columns: [Column; 10] = [
        ("stopped", |sheet| sheet.stopped, false),
        ("flagged", |sheet| sheet.flagged, false),
        ("spread", |sheet| sheet.spread, false),
        ("by links", |sheet| sheet.linked, false),
        ("spread, not exact", |sheet| sheet.fell_back, false),
        ("passed as none", |sheet| sheet.suspected, false),
        ("ends clear", |sheet| sheet.clear, true),
        ("ends by linked change", |sheet| sheet.linked_change, false),
        ("ends perhaps behind", |sheet| sheet.behind_suspected, false),
        ("ends behind", |sheet| sheet.behind, true),
    ];
    let shown =
        |(_, amount, always): &&Column| *always || all.iter().any(|(_, rows)| amount(&rows.sheet) > Amount::ZERO);
    let columns: Vec<&Column> = columns.iter().filter(shown).collect();
    let header: Vec<&str> =
        ["Mixes (sat)"].into_iter().chain(columns.iter().map(|(name, ..)| *name)).chain([""]).collect();
    let mut table = table(&header);
    for (name, rows) in all {
        let amounts = columns.iter().map(|(_, amount, _)| number(amount(&rows.sheet)));
        let depths = mix::depths(rows).into_iter().map(|(mixes, ends)| match ends {
            1 => format!("1 end behind {mixes}"),
            _ => format!("{ends} ends behind {mixes}"),
        });
        let depths = Cell::new(depths.collect::<Vec<_>>().join(", "));
        table.add_row(std::iter::once(Cell::new(name)).chain(amounts).chain([depths]));
    }
    writeln!(to, "\n{table}")?;
    if all.iter().any(|(_, rows)| rows.sheet.linked_change > Amount::ZERO) {
        writeln!(to, "Linked change is clear of the mix if the rule that links it is right, and only then.")?;
    }
    Ok(())
}

fn came(rows: impl Iterator<Item = (Txid, String, &'static str, u64)>) -> Came {
    let mut came = Came::new();
    for (txid, said, policy, sat) in rows {
        // Under `links` a rule of taint does not change what is said of a mix.
        came.entry(txid).or_insert_with(|| (said, Vec::new())).1.push((policy, sat));
    }
    came
}

/// A line for each transaction, the one that most came to first.
fn listed(title: &str, came: Came, to: &mut impl Write) -> Result<(), Error> {
    if came.is_empty() {
        return Ok(());
    }
    let most = |sats: &[(&str, u64)]| sats.iter().map(|(_, sat)| *sat).max();
    let mut rows: Vec<_> = came.into_iter().collect();
    rows.sort_by_cached_key(|(txid, (_, sats))| (Reverse(most(sats)), txid.to_string()));
    writeln!(to, "{title}")?;
    for (txid, (said, sats)) in rows.iter().take(ENDS_MAX) {
        let same = sats.len() > 1 && sats.iter().all(|(_, sat)| *sat == sats[0].1);
        let sats: Vec<String> = if same {
            vec![format!("{} sat", grouped(sats[0].1))]
        } else {
            sats.iter().map(|(policy, sat)| format!("{policy} {} sat", grouped(*sat))).collect()
        };
        writeln!(to, "  {txid}  {said}; came in: {}", sats.join(", "))?;
    }
    if rows.len() > ENDS_MAX {
        writeln!(to, "  and {} more", rows.len() - ENDS_MAX)?;
    }
    Ok(())
}

/// Which transactions a rule reaches differs; what is said of one does not.
fn linked(all: &[(&'static str, MixRows<'_>)], to: &mut impl Write) -> Result<(), Error> {
    let percent = |ppm: u32| ppm / 10_000;
    let mut said: Vec<String> = Vec::new();
    for (_, rows) in all {
        said.extend(rows.linked.iter().map(|row| {
            let by = format!("{}, confidence {} %", row.rule, percent(row.confidence_ppm));
            let spent = match row.spent_by[..] {
                [] if row.rule == premix::RULE => "; nothing here that is taken for a mix spends them".to_owned(),
                [] => String::new(),
                [mix] => format!("; spent in mix {mix}"),
                [mix, ..] => format!("; spent in {} mixes, first {mix}", row.spent_by.len()),
            };
            format!("  {}: outputs {:?} are of who paid inputs {:?} ({by}){spent}", row.txid, row.vouts, row.vins)
        }));
        said.extend(rows.consolidations.iter().map(|row| {
            let by = format!("{}, confidence {} %", row.rule, percent(row.confidence_ppm));
            format!("  {}: spends {} outputs of mix {} together ({by})", row.txid, row.outputs.len(), row.mix)
        }));
    }
    said.sort();
    said.dedup();
    if !said.is_empty() {
        writeln!(to, "Linked all the same (inferences):")?;
    }
    for line in said.iter().take(ENDS_MAX) {
        writeln!(to, "{line}")?;
    }
    if said.len() > ENDS_MAX {
        writeln!(to, "  and {} more", said.len() - ENDS_MAX)?;
    }
    Ok(())
}
