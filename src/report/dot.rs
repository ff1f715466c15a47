//! The traced graph for Graphviz.
//!
//! Ellipses are transactions (seeds doubly drawn), boxes are ends; a line says what each rule carried along it, in satoshis. The
//! manifest stands in a comment. `dot -Tsvg` draws it.

use std::io::Write;

use super::Report;
use super::drawing::{Dot, Drawing, Line};
use crate::error::Error;
use crate::id::{OutputIndex, TxIndex};
use crate::trace::Via;

/// Writes the traced graph of all rules as one directed graph.
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
/// report::dot::write(&report, &mut bytes)?;
/// assert!(String::from_utf8(bytes).unwrap().ends_with("}\n"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(report: &Report<'_, '_>, mut to: impl Write) -> Result<(), Error> {
    let drawing = Drawing::of(report.traces);
    let manifest = serde_json::to_string(&report.manifest()).map_err(std::io::Error::from)?;
    // A line comment of Graphviz ends at the line's end, and JSON on one line has none inside.
    writeln!(to, "// {manifest}\ndigraph fundtrace {{\n  rankdir=LR;\n  node [fontname=\"monospace\", fontsize=10];")?;
    for tx in &drawing.txs {
        let (id, label) = (drawing.id(Dot::Tx(*tx)), quoted(&tx_label(&drawing, *tx)));
        let peripheries = if drawing.seeds.contains(tx) { 2 } else { 1 };
        writeln!(to, "  {id} [label={label}, peripheries={peripheries}];")?;
    }
    for output in drawing.ends.keys() {
        let (id, label) = (drawing.id(Dot::End(*output)), quoted(&end_label(report, &drawing, *output)));
        writeln!(to, "  {id} [label={label}, shape=box];")?;
    }
    for (line, amounts) in &drawing.lines {
        let amounts: Vec<String> = drawing
            .policies
            .iter()
            .zip(amounts)
            .map(|(policy, amount)| format!("{policy} {}", amount.to_sat()))
            .collect();
        let Line { from, to: end, via } = *line;
        let flagged = match via {
            // A box says it itself.
            Via::Output(output) if matches!(end, Dot::Tx(_)) => drawing.way(output),
            _ => None,
        };
        let amounts: Vec<String> = amounts.into_iter().chain(flagged.map(str::to_owned)).collect();
        let (from, end, label) = (drawing.id(from), drawing.id(end), quoted(&amounts.join("\n")));
        writeln!(to, "  {from} -> {end} [label={label}, fontsize=8];")?;
    }
    writeln!(to, "}}")?;
    Ok(())
}

fn tx_label(drawing: &Drawing<'_>, index: TxIndex) -> String {
    let tx = drawing.view.tx(index);
    let txid = tx.txid().to_string();
    let place = match tx.height() {
        Some(height) => format!("height {height}"),
        None if tx.is_stub() => "not supplied".to_owned(),
        None => "height unknown".to_owned(),
    };
    let mix = drawing.mixes.get(&index).map_or(String::new(), |mix| format!("\n{mix}"));
    format!("{}...{}\n{place}{mix}", &txid[..8], &txid[56..])
}

fn end_label(report: &Report<'_, '_>, drawing: &Drawing<'_>, output: OutputIndex) -> String {
    let at = drawing.view.output(output);
    let outpoint = at.outpoint();
    let address = at.address().map_or("no address".to_owned(), |address| address.to_string());
    let owner = report.owner(output).map_or(String::new(), |(_, name)| format!("\nappears to be of {name}"));
    let way = drawing.way(output).map_or(String::new(), |way| format!("\n{way}"));
    let txid = outpoint.txid.to_string();
    format!("{address}\n{}...:{}\n{}{way}{owner}", &txid[..8], outpoint.vout, drawing.reasons(output))
}

/// A quoted string of the dot language: a backslash would begin an escape of its own.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    #[test]
    fn labels_cannot_leave_their_quotes() {
        assert_eq!(super::quoted("a\"]; x [label=\"\\"), "\"a\\\"]; x [label=\\\"\\\\\"");
    }
}
