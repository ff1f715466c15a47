//! Where it ends, under every rule, and whose that appears to be.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use bitcoin::Amount;
use comfy_table::{Cell, CellAlignment};

use super::{ENDS_MAX, grouped, number, table};
use crate::error::Error;
use crate::id::OutputIndex;
use crate::report::{Arrived, Report, Spread, visible};
use crate::trace::{Owner, Reason, Trace};

/// How many sources of an end are shown; the rest is hinted at.
const SOURCES_MAX: usize = 4;

/// What each owner holds, and the least hops to it; the same order as the ends' where one rule was run.
pub(super) fn owner_table(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    let Some(owners) = report.owners else { return Ok(()) };
    let (traces, view) = (report.traces, report.traces[0].view());
    let mut held: BTreeMap<Option<Owner>, (BTreeSet<OutputIndex>, u32, Vec<Amount>)> = BTreeMap::new();
    for (at, trace) in traces.iter().enumerate() {
        for holding in trace.holdings(owners) {
            let row = held
                .entry(holding.owner)
                .or_insert_with(|| (BTreeSet::new(), u32::MAX, vec![Amount::ZERO; traces.len()]));
            row.0.extend(holding.outputs.iter());
            row.1 = row.1.min(holding.hops);
            row.2[at] = holding.amount;
        }
    }
    let mut rows: Vec<_> = held.into_iter().collect();
    // What nobody is known to own comes last, for it is no owner.
    rows.sort_by_key(|(owner, (.., amounts))| (owner.is_none(), std::cmp::Reverse(amounts.iter().max().copied())));
    let mut table = table(&["Owner (inferred)", "addresses", "ends", "by rule"]);
    for (owner, (outputs, hops, amounts)) in rows.iter().take(ENDS_MAX) {
        let name =
            owner.map_or("no address: owner not inferred".to_owned(), |owner| view.address(owner.name).to_string());
        let unit = if *hops == 1 { "hop" } else { "hops" };
        let agreed = traces.len() > 1 && amounts.iter().all(|amount| *amount == amounts[0]);
        let each = traces
            .iter()
            .zip(amounts)
            .map(|(trace, amount)| format!("{} {}", trace.policy().name, grouped(amount.to_sat())));
        let by_rule = if agreed {
            format!("every rule {}", grouped(amounts[0].to_sat()))
        } else {
            each.collect::<Vec<_>>().join("\n")
        };
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row(vec![
            Cell::new(format!("{name}\n{hops} {unit}")),
            right(owner.map_or_else(|| "-".to_owned(), |owner| owner.addresses.to_string())),
            right(outputs.len().to_string()),
            right(by_rule),
        ]);
    }
    writeln!(to, "\n{table}")?;
    if rows.len() > ENDS_MAX {
        writeln!(to, "{} more owners are not shown; the format json has them all", rows.len() - ENDS_MAX)?;
    }
    writeln!(
        to,
        "An owner is an inference: addresses that appear to have one owner under {}, named by the first of them.",
        owners.told()
    )?;
    if traces.iter().any(|trace| !trace.policy().conserving) {
        writeln!(to, "Under poison an owner's amount is the value of its outputs.")?;
    }
    Ok(())
}

fn counted(addresses: usize) -> String {
    if addresses == 1 { "an address by itself".to_owned() } else { format!("{addresses} addresses") }
}

pub(super) fn end_table(report: &Report<'_, '_>, ends: &[Spread], to: &mut impl Write) -> Result<(), Error> {
    let traces = report.traces;
    let mut table = table(&["Where it ends", "value", "least", "most", "by rule"]);
    for end in ends.iter().take(ENDS_MAX) {
        let output = traces[0].view().output(end.output);
        let address = output.address().map_or("no address".to_owned(), |address| address.to_string());
        let mut place = format!("{}\n{address}\n{}", output.outpoint(), reasons(traces, end.output));
        if report.owners.is_some() {
            place += &match report.owner(end.output) {
                Some((owner, name)) => format!("\nowner (inferred): {name}, {}", counted(owner.addresses)),
                None => "\nowner: not inferred".to_owned(),
            };
        }
        let names = traces.iter().map(|trace| trace.policy().name);
        let each = names.zip(&end.by_rule).map(|(name, arrived)| format!("{name} {}", arrived_text(traces, arrived)));
        let agreed = traces.len() > 1 && end.is_agreed();
        let by_rule = if agreed { "every rule the same".to_owned() } else { each.collect::<Vec<_>>().join("\n") };
        table.add_row(vec![
            Cell::new(place),
            number(output.value().unwrap_or(Amount::ZERO)),
            number(end.least()),
            number(end.most()),
            Cell::new(by_rule).set_alignment(CellAlignment::Right),
        ]);
    }
    writeln!(to, "\n{table}")?;
    if ends.len() > ENDS_MAX {
        writeln!(to, "{} more ends are not shown; every format but this one has them all", ends.len() - ENDS_MAX)?;
    }
    if let (Some(height), true) = (traces[0].view().height(), unknown_spender(traces)) {
        writeln!(to, "unknown_spender: up to height {height} nothing here spends it; later spends are not looked at.")?;
    }
    if ends.iter().any(Spread::is_cut) {
        writeln!(
            to,
            "A stop cut some rules and not others: there least and most speak only for the rules that were followed."
        )?;
    }
    if traces.len() > 1 {
        writeln!(to, "No rule is truer than another: the spread between least and most is the result.")?;
    }
    if traces.iter().any(|trace| !trace.policy().conserving) {
        let but = if traces[0].stop().contains("budget") { " (unless the budget cut it short)" } else { "" };
        writeln!(
            to,
            "Poison is an upper bound: what it does not reach, no rule reaches{but}; its amounts must not be summed."
        )?;
    }
    Ok(())
}

fn unknown_spender(traces: &[Trace<'_>]) -> bool {
    traces.iter().flat_map(Trace::ends).any(|end| end.reason == Reason::UnknownSpender)
}

/// How much a rule puts at an end, and whose it is where there are several sources.
fn arrived_text(traces: &[Trace<'_>], arrived: &Arrived) -> String {
    let (amount, by_source, more) = match arrived {
        Arrived::Ended(amount, by_source) => (amount, by_source, ""),
        Arrived::WentOn(amount, by_source) => (amount, by_source, ", went on"),
        Arrived::Nothing => return "0".to_owned(),
        Arrived::Cut => return "not followed here".to_owned(),
    };
    let mut text = grouped(amount.to_sat());
    if traces[0].sources().len() > 1 {
        let shares = by_source.iter().take(SOURCES_MAX);
        let shares =
            shares.map(|(source, amount)| format!("{} {}", traces[0].label(*source), grouped(amount.to_sat())));
        let dots = if by_source.len() > SOURCES_MAX { ", ..." } else { "" };
        text = format!("{text} ({}{dots})", visible(&shares.collect::<Vec<_>>().join(", ")));
    }
    text + more
}

/// The reasons and least hops that the rules give for an end.
fn reasons(traces: &[Trace<'_>], output: OutputIndex) -> String {
    let ends = traces.iter().filter_map(|trace| {
        let at = trace.ends().binary_search_by_key(&output, |end| end.output).ok()?;
        Some(&trace.ends()[at])
    });
    let mut reasons: Vec<String> = Vec::new();
    for end in ends.clone() {
        let reason = match &end.reason {
            Reason::Tagged(tag) if !tag.source.is_empty() => {
                let changed = tag.lastmod.map_or(String::new(), |day| format!(", changed {day}"));
                format!("{}, says {}{changed}", end.reason, tag.source)
            }
            reason => reason.to_string(),
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let hops = ends.map(|end| end.hops).min().unwrap_or(0);
    let unit = if hops == 1 { "hop" } else { "hops" };
    format!("{}, {hops} {unit}", visible(&reasons.join(", ")))
}
