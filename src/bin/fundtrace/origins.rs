//! `fundtrace trace --direction backward`: where coins came from.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};

use fundtrace::spec::{ResolvedSeed, Rule};
use fundtrace::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Seniority, Tiho};
use fundtrace::trace::{self, Options, OriginBalance, OriginEnd, Origins, Seed, Stop};
use fundtrace::{Error, View};
use serde_json::{Value, json};

use crate::input;
use crate::progress::Counter;
use crate::trace::{Args, Format};

/// How many origins the table shows under each rule.
const ENDS_MAX: usize = 40;

/// What goes with no backward run, or cannot be shown of one, is told before anything is read.
pub(crate) fn check(args: &Args) -> Result<(), Error> {
    if args.resume.is_some()
        || args.bounds
        || !args.explain.is_empty()
        || !args.paths_to.is_empty()
        || args.peels.is_some()
    {
        let what = "--direction backward goes with none of --resume, --bounds, --explain, --paths-to and --peels";
        return Err(input::invalid(what));
    }
    if !args.owners.is_empty() {
        return Err(input::invalid("--owners goes with --direction forward only"));
    }
    if args.write_tags.is_some() {
        return Err(input::invalid("--write-tags goes with forward runs, as only they end at addresses"));
    }
    match args.format {
        Format::Json | Format::Table => Ok(()),
        _ => Err(input::invalid("--direction backward has the formats table and json")),
    }
}

pub(crate) fn run(
    view: View<'_>,
    given: &[ResolvedSeed],
    rules: &[Rule],
    stop: &dyn Stop,
    options: &Options,
    format: Format,
) -> Result<(), Error> {
    let wanted: Vec<Seed> = given.iter().flat_map(ResolvedSeed::seeds).collect();
    let left_out = input::left_out(view, given);
    let counter = Counter::new();
    let counted = counter.over(stop);
    let run = |rule: &Rule| backward(view, &wanted, *rule, &counted, options);
    let found: Vec<Origins<'_>> = rules.iter().map(run).collect::<Result<_, Error>>()?;
    drop(counter);
    let mut to = BufWriter::new(std::io::stdout().lock());
    match format {
        Format::Json => {
            let rows: Vec<Value> = found.iter().map(document).collect();
            let facts = json!({
                "fundtrace": env!("CARGO_PKG_VERSION"), "direction": "backward", "input_sha256": view.digest().to_string(),
                "as_of": view.height(), "fees": options.fees.as_str(), "coinbase_order": options.coinbase_order.as_str(),
                "stop": stop.describe(), "left_out": left_out, "runs": rows,
            });
            serde_json::to_writer_pretty(&mut to, &facts).map_err(IoError::from)?;
            writeln!(to)?;
        }
        _ => {
            for output in &left_out {
                writeln!(to, "left out, its height is unknown: {output}")?;
            }
            for origins in &found {
                table(origins, &mut to)?;
            }
        }
    }
    Ok(to.flush()?)
}

fn backward<'c>(
    view: View<'c>,
    wanted: &[Seed],
    rule: Rule,
    stop: &dyn Stop,
    options: &Options,
) -> Result<Origins<'c>, Error> {
    Ok(match rule {
        Rule::Poison => trace::backward(view, wanted, &Poison, stop, options),
        Rule::Haircut => trace::backward(view, wanted, &Haircut, stop, options),
        Rule::Fifo => trace::backward(view, wanted, &Fifo, stop, options),
        Rule::Lifo => trace::backward(view, wanted, &Lifo, stop, options),
        Rule::Seniority => trace::backward(view, wanted, &Seniority, stop, options),
        Rule::Juniority => trace::backward(view, wanted, &Juniority, stop, options),
        Rule::Tiho => trace::backward(view, wanted, &Tiho, stop, options),
        other => {
            let what = format!("{other} has no backward run here");
            return Err(IoError::new(ErrorKind::InvalidInput, what).into());
        }
    })
}

/// `txid:vout`, or of a coinbase's new coins the txid.
fn named(origins: &Origins<'_>, end: &OriginEnd) -> String {
    let view = origins.view();
    end.output.map_or_else(|| view.tx(end.tx).txid().to_string(), |output| view.output(output).outpoint().to_string())
}

fn detail(end: &OriginEnd) -> Option<&str> {
    match &end.reason {
        trace::OriginReason::Stopped(reason) => reason.detail(),
        _ => None,
    }
}

fn document(origins: &Origins<'_>) -> Value {
    let view = origins.view();
    let ends = origins.ends().iter().map(|end| {
        let by_source: serde_json::Map<String, Value> = end
            .by_source
            .iter()
            .map(|(source, sat)| (origins.labels()[label(*source)].clone(), sat.to_sat().into()))
            .collect();
        json!({
            "origin": named(origins, end),
            "from_sat": end.amount.to_sat(),
            "by_source": by_source,
            "hops": end.hops,
            "reason": end.reason.as_str(),
            "detail": detail(end),
            "address": end.output.and_then(|output| view.output(output).address()).map(|address| address.to_string()),
            "height": view.tx(end.tx).height(),
        })
    });
    let OriginBalance { asked, minted, unknown, stopped, truncated, displaced, .. } = origins.balance();
    json!({
        "policy": origins.policy().name,
        "conserving": origins.policy().conserving,
        "asked_sat": asked.to_sat(),
        "balance": {
            "minted_sat": minted.to_sat(), "unknown_sat": unknown.to_sat(), "stopped_sat": stopped.to_sat(),
            "truncated_sat": truncated.to_sat(), "displaced_sat": displaced.to_sat(),
        },
        "transactions": origins.transactions(),
        "ends": ends.collect::<Vec<_>>(),
    })
}

fn label(source: fundtrace::SourceIndex) -> usize {
    usize::try_from(source.to_u32()).unwrap_or(usize::MAX)
}

fn table(origins: &Origins<'_>, to: &mut impl Write) -> Result<(), Error> {
    let OriginBalance { asked, minted, unknown, stopped, truncated, displaced, .. } = origins.balance();
    let upper = if origins.policy().conserving { "" } else { " (an upper bound: it does not add up)" };
    writeln!(to, "{}, backward{upper}", origins.policy().name)?;
    writeln!(
        to,
        "  asked {} = minted {} + unknown {} + stopped {} + truncated {} + displaced {} sat",
        asked.to_sat(),
        minted.to_sat(),
        unknown.to_sat(),
        stopped.to_sat(),
        truncated.to_sat(),
        displaced.to_sat(),
    )?;
    let mut ends: Vec<&OriginEnd> = origins.ends().iter().collect();
    // Stable, so equals stay in chain order.
    ends.sort_by_key(|end| std::cmp::Reverse(end.amount));
    for end in ends.iter().take(ENDS_MAX) {
        let why = detail(end).map_or(String::new(), |detail| format!(" ({})", detail.escape_debug()));
        let (sat, hops, reason) = (end.amount.to_sat(), end.hops, end.reason.as_str());
        writeln!(to, "  {sat:>16} sat  {}  {reason}{why}, {hops} hops", named(origins, end))?;
    }
    if ends.len() > ENDS_MAX {
        writeln!(to, "  and {} more (--format json has them all)", ends.len() - ENDS_MAX)?;
    }
    writeln!(to)?;
    Ok(())
}
