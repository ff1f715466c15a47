//! What a person reads in a terminal. Feature `table`.

mod ends;
mod head;
mod leads;
mod mixes;
mod sheet;
mod ways;

use std::io::Write;

use bitcoin::Amount;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::Report;
use super::sentence::telling;
use crate::error::Error;

/// How many rows are shown of ends and of other lists; the rest is counted.
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
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::{self, Report}, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// let report = Report::new(&traces)?;
/// let mut bytes = Vec::new();
/// report::table::write(&report, &mut bytes)?;
/// assert!(String::from_utf8(bytes).unwrap().contains("Balance"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(report: &Report<'_, '_>, mut to: impl Write) -> Result<(), Error> {
    let (traces, explain) = (report.traces, report.explain);
    head::head(&report.manifest(), &mut to)?;
    sheet::balances(traces, &mut to)?;
    sheet::fees_note(traces, &mut to)?;
    sheet::inside_note(traces, &mut to)?;
    mixes::write(traces, &mut to)?;
    let mut ends = report.spreads();
    // The sort is stable, so equals stay in chain order.
    ends.sort_by_key(|end| std::cmp::Reverse((end.most(), end.least())));
    if ends.is_empty() {
        writeln!(to, "\nNo output holds taint.")?;
    } else {
        ends::end_table(report, &ends, &mut to)?;
        ends::owner_table(report, &mut to)?;
    }
    leads::leads(report, &mut to)?;
    leads::elsewhere(report, &mut to)?;
    leads::passed(report, &mut to)?;
    for exposure in traces.iter().filter_map(|trace| report.exposure_of(trace)) {
        write!(to, "\n{exposure}")?;
    }
    ways::bounds(report.bounds, traces, &mut to)?;
    ways::routes_to(report, &mut to)?;
    ways::peel_chains(report, &mut to)?;
    for output in explain {
        ways::evidence(report, &traces.iter().collect::<Vec<_>>(), *output, report.limits, &mut to)?;
    }
    if let (true, Some(end)) = (explain.is_empty(), ends.first()) {
        ways::evidence(report, &[telling(traces)], end.output, report.limits.paths(3), &mut to)?;
        writeln!(to, "For another output, or under every rule, name it (--explain TXID:VOUT on the command line).")?;
    }
    ways::missing(traces, &mut to)
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

fn grouped(sat: impl Into<u128>) -> String {
    let sat: u128 = sat.into();
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
        assert_eq!(super::grouped(6_369_996_546_u64), "6,369,996,546");
        assert_eq!(super::grouped(100_u64), "100");
        assert_eq!(super::grouped(0_u64), "0");
    }
}
