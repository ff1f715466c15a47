//! What a person reads in a terminal. Feature `table`.

use std::io::Write;

use bitcoin::Amount;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::{Manifest, Spread, spreads};
use crate::chain::Counts;
use crate::error::Error;
use crate::id::OutputIndex;
use crate::spec::ResolvedSeed;
use crate::taint::Origin;
use crate::trace::{Fees, PathLimits, Paths, Reason, Trace};

/// How many ends are shown; the rest is counted.
const ENDS_MAX: usize = 40;

/// Writes the balance sheets, the ends with the spread between the rules, and evidence paths: to the outputs of `explain`, and without
/// any to the end that holds the most.
///
/// Amounts are in satoshis, grouped by thousands.
///
/// # Errors
///
/// When writing fails ([`Error::is_io`]).
///
/// # Panics
///
/// When there is no trace.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// let mut bytes = Vec::new();
/// report::table::write(&traces, &[], &[], &mut bytes)?;
/// assert!(String::from_utf8(bytes).unwrap().contains("Balance"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(
    traces: &[Trace<'_>],
    given: &[ResolvedSeed],
    explain: &[OutputIndex],
    mut to: impl Write,
) -> Result<(), Error> {
    let manifest = Manifest::of(traces, given);
    head(&manifest, &mut to)?;
    balances(traces, &mut to)?;
    let mut ends = spreads(traces);
    // The sort is stable, so equals stay in chain order.
    ends.sort_by_key(|end| std::cmp::Reverse((end.most(), end.least())));
    if ends.is_empty() {
        writeln!(to, "\nNo output holds taint.")?;
    } else {
        end_table(traces, &ends, &mut to)?;
    }
    for output in explain {
        evidence(&traces.iter().collect::<Vec<_>>(), *output, &mut to)?;
    }
    if let (true, Some(end)) = (explain.is_empty(), ends.first()) {
        evidence(&[telling(traces)], end.output, &mut to)?;
        writeln!(to, "For another output or every rule ask for that output's evidence by name.")?;
    }
    missing(traces, &mut to)
}

fn head(manifest: &Manifest, to: &mut impl Write) -> Result<(), Error> {
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
        let label = if seed.label == seed.given { String::new() } else { format!("{}: ", seed.label) };
        writeln!(to, "seed    {label}{}", seed.given)?;
        for outpoint in &seed.left_out {
            writeln!(to, "        left out, its height is unknown: {outpoint}")?;
        }
        for (outpoint, sat) in &seed.outputs {
            writeln!(to, "        {outpoint}  {} sat", grouped(*sat))?;
        }
    }
    let options = manifest.conventions.options;
    let order = match options.fees {
        Fees::Coinbase => format!(" ({})", options.coinbase_order.as_str()),
        _ => String::new(),
    };
    writeln!(to, "fees    {}{order}; stops: {}", options.fees.as_str(), manifest.stop)?;
    Ok(())
}

fn balances(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let header = ["Balance (sat)", "seeded", "= ends", "+ fees", "+ burned", "+ displaced", "+ truncated", ""];
    let mut table = table(&header);
    for trace in traces {
        let balance = trace.balance();
        let verdict = match (trace.policy().conserving, balance.adds_up()) {
            (true, true) => "adds up",
            (true, false) => "DOES NOT ADD UP",
            (false, _) => "upper bound: need not add up",
        };
        let amounts =
            [balance.seeded, balance.ends, balance.fees, balance.burned, balance.displaced, balance.truncated];
        let mut row = vec![Cell::new(trace.policy().name)];
        row.extend(amounts.map(number));
        row.push(Cell::new(verdict));
        table.add_row(row);
    }
    writeln!(to, "\n{table}")?;
    Ok(())
}

fn end_table(traces: &[Trace<'_>], ends: &[Spread], to: &mut impl Write) -> Result<(), Error> {
    let mut table = table(&["Where it ends", "value", "least", "most", "by rule"]);
    for end in ends.iter().take(ENDS_MAX) {
        let output = traces[0].view().output(end.output);
        let address = output.address().map_or("no address".to_owned(), |address| address.to_string());
        let place = format!("{}\n{address}\n{}", output.outpoint(), reasons(traces, end.output));
        let names = traces.iter().map(|trace| trace.policy().name);
        let each = names.zip(&end.amounts).map(|(name, amount)| format!("{name} {}", grouped(amount.to_sat())));
        let agreed = traces.len() > 1 && end.least() == end.most();
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

/// The reasons and least hops that the rules give for an end.
fn reasons(traces: &[Trace<'_>], output: OutputIndex) -> String {
    let ends = traces.iter().filter_map(|trace| {
        let at = trace.ends().binary_search_by_key(&output, |end| end.output).ok()?;
        Some(&trace.ends()[at])
    });
    let mut reasons: Vec<&Reason> = ends.clone().map(|end| &end.reason).collect();
    reasons.dedup();
    let hops = ends.map(|end| end.hops).min().unwrap_or(0);
    let reasons: Vec<String> = reasons.into_iter().map(Reason::to_string).collect();
    format!("{}, {hops} hops", reasons.join(", "))
}

/// The trace whose evidence says most: one that keeps the order of satoshis, or else one that conserves.
fn telling<'t, 'c>(traces: &'t [Trace<'c>]) -> &'t Trace<'c> {
    let ordered = |trace: &&Trace<'_>| matches!(trace.policy().origin, Origin::RowFront | Origin::RowBack);
    let conserving = |trace: &&Trace<'_>| trace.policy().conserving;
    traces.iter().find(ordered).or_else(|| traces.iter().find(conserving)).unwrap_or(&traces[0])
}

fn evidence(shown: &[&Trace<'_>], output: OutputIndex, to: &mut impl Write) -> Result<(), Error> {
    let Some(first) = shown.first() else { return Ok(()) };
    writeln!(to, "\nHow taint came to {}", first.view().output(output).outpoint())?;
    for trace in shown {
        let Paths { paths, hit, .. } = trace.paths(output, PathLimits::default().paths(3));
        if paths.is_empty() {
            writeln!(to, "  under {} none came", trace.policy().name)?;
        }
        for path in &paths {
            writeln!(to, "  {}", path.explain(trace).to_string().replace('\n', "\n  "))?;
        }
        if let Some(limit) = hit {
            writeln!(to, "  (there is more: the search stopped at its limit of {})", limit.as_str())?;
        }
    }
    Ok(())
}

fn missing(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let mut missing: Vec<_> = traces.iter().flat_map(Trace::missing).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    writeln!(to, "\nTo get further, supply:")?;
    for missing in missing.iter().take(ENDS_MAX) {
        writeln!(to, "  {missing}")?;
    }
    if missing.len() > ENDS_MAX {
        writeln!(to, "  and {} more", missing.len() - ENDS_MAX)?;
    }
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(Cell::new));
    table
}

fn number(amount: Amount) -> Cell {
    Cell::new(grouped(amount.to_sat())).set_alignment(CellAlignment::Right)
}

fn grouped(sat: u64) -> String {
    let digits = sat.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!(super::grouped(6_369_996_546), "6,369,996,546");
        assert_eq!(super::grouped(100), "100");
        assert_eq!(super::grouped(0), "0");
    }
}
