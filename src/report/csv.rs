//! Ends and edges for spreadsheets and link-analysis tools. Feature `csv`.
//!
//! Two plain tables with a header each, one row an end (or an edge) and rule. A field that a spreadsheet would take for a
//! formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return) has a `'` put before it.
//!
//! A table has no place for the whole manifest, so the last columns repeat what a row needs when it is cut out of its file: the rule's
//! version, the conventions, the stops, this crate's version, the hash of the input and that of the [`Manifest`](super::Manifest), which
//! stands in the JSON report of the same run.

use std::borrow::Cow;
use std::io::Write;

use super::{Report, mix};
use crate::error::{Error, SpecError};
use crate::id::OutputIndex;
use crate::trace::{Trace, Via};

const RUN: [&str; 8] =
    ["policy_version", "as_of", "fees", "coinbase_order", "stop", "fundtrace", "input_sha256", "manifest_sha256"];

/// The columns of an inferred owner, where owners are shown or counted by: the cluster's first address, how many addresses it has, the rules, and whether
/// hops are moves between owners.
const OWNER: [&str; 4] = ["owner", "owner_addresses", "owner_rules", "entities"];

/// The columns of mixes, where the run had a choice at them: how the output lies to mixes (`clear`, `linked`, `suspected`, `mixed`; see
/// [`Way`](crate::trace::Way)), and their txids with a space between.
const MIXES: [&str; 2] = ["mix_way", "mixes"];

/// Writes the ends: `policy, outpoint, address, value_sat, output_tainted_sat, source, source_sat, hops, height, time, reason, detail` and the
/// run's columns; where owners are shown, `owner, owner_addresses, owner_rules, entities` stand before these, and where mixes were looked for
/// `mix_way, mixes`. An end of several sources has a row for each: sum `source_sat`, never `output_tainted_sat`, which repeats.
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
/// report::csv::ends(&report, &mut bytes)?;
/// assert!(bytes.starts_with(b"policy,outpoint,address,value_sat"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn ends(report: &Report<'_, '_>, to: impl Write) -> Result<(), Error> {
    let header = [
        "policy",
        "outpoint",
        "address",
        "value_sat",
        "output_tainted_sat",
        "source",
        "source_sat",
        "hops",
        "height",
        "time",
        "reason",
        "detail",
    ];
    let mut rows = Rows::start(report, &header, to)?;
    for trace in report.traces {
        for end in trace.ends() {
            let output = trace.view().output(end.output);
            let address = output.address().map(|address| address.to_string()).unwrap_or_default();
            for (source, amount) in &end.by_source {
                let fields = [
                    trace.policy().name,
                    &output.outpoint().to_string(),
                    &address,
                    &output.value().map_or(0, bitcoin::Amount::to_sat).to_string(),
                    &end.amount.to_sat().to_string(),
                    trace.label(*source),
                    &amount.to_sat().to_string(),
                    &end.hops.to_string(),
                    &output.tx().height().map(|height| height.to_string()).unwrap_or_default(),
                    &output.tx().time().map(|time| time.to_string()).unwrap_or_default(),
                    end.reason.as_str(),
                    end.reason.detail().unwrap_or_default(),
                ];
                rows.write(trace, &fields, Some(end.output))?;
            }
        }
    }
    rows.finish()
}

/// Writes the edges: `policy, from_txid, to_txid, via, address, tainted_sat, to_height, to_time` and the run's columns. The address is the one whose
/// output carried; height and time are those of the transaction it was carried into.
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
/// report::csv::edges(&report, &mut bytes)?;
/// assert!(bytes.starts_with(b"policy,from_txid,to_txid"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn edges(report: &Report<'_, '_>, to: impl Write) -> Result<(), Error> {
    let header = ["policy", "from_txid", "to_txid", "via", "address", "tainted_sat", "to_height", "to_time"];
    let mut rows = Rows::start(report, &header, to)?;
    for trace in report.traces {
        for carry in trace.carries() {
            let (from, into) = (trace.view().tx(carry.from), trace.view().tx(carry.to));
            let (via, address) = match carry.via {
                Via::Output(output) => {
                    let output = trace.view().output(output);
                    (output.outpoint().to_string(), output.address().map(|address| address.to_string()))
                }
                Via::Fee(_) => ("fee".to_owned(), None),
            };
            let fields = [
                trace.policy().name,
                &from.txid().to_string(),
                &into.txid().to_string(),
                &via,
                &address.unwrap_or_default(),
                &carry.amount.to_sat().to_string(),
                &into.height().map(|height| height.to_string()).unwrap_or_default(),
                &into.time().map(|time| time.to_string()).unwrap_or_default(),
            ];
            let owned = match carry.via {
                Via::Output(output) => Some(output),
                Via::Fee(_) => None,
            };
            rows.write(trace, &fields, owned)?;
        }
    }
    rows.finish()
}

struct Rows<'r, 't, 'c, W: Write> {
    report: &'r Report<'t, 'c>,
    to: csv::Writer<W>,
    /// The run's columns after the rule's version.
    run: Vec<String>,
}

impl<'r, 't, 'c, W: Write> Rows<'r, 't, 'c, W> {
    fn start(report: &'r Report<'t, 'c>, header: &[&str], to: W) -> Result<Self, Error> {
        let manifest = report.manifest();
        let options = manifest.conventions.options;
        let run = vec![
            manifest.view.as_of.map(|height| height.to_string()).unwrap_or_default(),
            options.fees.as_str().to_owned(),
            options.coinbase_order.as_str().to_owned(),
            manifest.stop.clone(),
            manifest.fundtrace.to_owned(),
            manifest.input.sha256.clone(),
            manifest.sha256().to_string(),
        ];
        let mut rows = Self { report, to: csv::Writer::from_writer(to), run };
        let owner = if report.owner_rules().is_some() { &OWNER[..] } else { &[] };
        let mixes = if report.traces[0].through().is_some() { &MIXES[..] } else { &[] };
        let header: Vec<&str> = header.iter().chain(owner).chain(mixes).chain(&RUN).copied().collect();
        rows.record(&header)?;
        Ok(rows)
    }

    fn write(&mut self, trace: &Trace<'_>, fields: &[&str], owned: Option<OutputIndex>) -> Result<(), Error> {
        let version = trace.policy().version.to_string();
        let owner = owned.and_then(|output| self.report.owner(output));
        let (name, addresses) =
            owner.map_or_else(Default::default, |(owner, name)| (name, owner.addresses.to_string()));
        let rules = self.report.owner_rules().map(crate::trace::told);
        let entities = trace.entity_rules().is_some().to_string();
        let owner = match &rules {
            Some(rules) => vec![name.as_str(), &addresses, rules, &entities],
            None => Vec::new(),
        };
        let mixes = trace.through().map(|_| owned.map_or_else(Default::default, |output| mix::fields(trace, output)));
        let mixes = mixes.as_ref().map_or_else(Vec::new, |(way, mixes)| vec![*way, mixes.as_str()]);
        let run = std::mem::take(&mut self.run);
        let after = owner.into_iter().chain(mixes).chain([version.as_str()]);
        let fields: Vec<&str> = fields.iter().copied().chain(after).chain(run.iter().map(String::as_str)).collect();
        let written = self.record(&fields);
        self.run = run;
        written
    }

    fn record(&mut self, fields: &[&str]) -> Result<(), Error> {
        let fields = fields.iter().map(|field| defused(field).into_owned());
        self.to.write_record(fields).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => Error::from(error),
            kind => SpecError::Csv(format!("{kind:?}")).into(),
        })
    }

    fn finish(mut self) -> Result<(), Error> {
        Ok(self.to.flush()?)
    }
}

/// Labels come from case files and tag lists, that is from strangers.
fn defused(field: &str) -> Cow<'_, str> {
    let field = super::visible(field);
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { Cow::Owned(format!("'{field}")) } else { field }
}

#[cfg(test)]
mod tests {
    #[test]
    fn formulas_are_defused() {
        assert_eq!(super::defused("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(super::defused("theft"), "theft");
    }
}
