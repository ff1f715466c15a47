//! `fundtrace trace --resume`: a run that goes on as blocks come.

use std::fs::File;
use std::io::{BufReader, BufWriter, Error as IoError, ErrorKind, Write};
use std::path::Path;

use fundtrace::spec::Rule;
use fundtrace::trace::{Alert, Event, Options, Reach, Seed, Stop, Watch};
use fundtrace::{BlockHeight, Error, View};
use serde_json::json;

use crate::progress::Counter;
use crate::save::save;
use crate::trace::Format;

/// Takes a step, tells what is new, and writes down where it ended.
pub(crate) fn run(
    file: &Path,
    view: View<'_>,
    seeds: &[Seed],
    rules: &[Rule],
    stop: &dyn Stop,
    options: &Options,
    format: Format,
) -> Result<(), Error> {
    let [rule] = rules else {
        return Err(invalid("--resume follows one rule; name it with --policy"));
    };
    if !matches!(format, Format::Table | Format::Json) {
        return Err(invalid("--resume has the formats table and json"));
    }
    let here = |error: Error| error.within(file.display());
    let counter = Counter::new();
    let stop = counter.over(stop);
    let (watch, reach, alerts, from) = if file.exists() {
        let mut watch =
            Watch::read(BufReader::new(File::open(file).map_err(|error| here(error.into()))?)).map_err(here)?;
        if watch.rule() != *rule {
            return Err(here(invalid(&format!(
                "the file is of a run under another rule: {}, not {rule}",
                watch.rule()
            ))));
        }
        if watch.options() != *options {
            return Err(here(invalid("the file is of a run under other conventions (--fees, --coinbase-order)")));
        }
        watch.update_seeds(view, seeds).map_err(here)?;
        let progress = watch.advance(view, &stop).map_err(here)?;
        (watch, progress.reach, Some(progress.alerts), progress.resumed_from)
    } else {
        let (watch, reach) = Watch::start(view, seeds, *rule, &stop, options)?;
        (watch, reach, None, None)
    };
    drop(counter);
    let mut to = BufWriter::new(std::io::stdout().lock());
    if let Format::Json = format {
        serde_json::to_writer_pretty(&mut to, &document(&watch, &reach, alerts.as_deref(), from))
            .map_err(IoError::from)?;
        writeln!(to)?;
    } else {
        table(&watch, &reach, alerts.as_deref(), from, &mut to)?;
    }
    to.flush()?;
    // Last: what nobody was shown is new next time.
    let mut bytes = Vec::new();
    watch.write_to(&mut bytes)?;
    save(file, |to| to.write_all(&bytes))
}

fn document(
    watch: &Watch,
    reach: &Reach<'_>,
    alerts: Option<&[Alert]>,
    from: Option<BlockHeight>,
) -> serde_json::Value {
    let balance = reach.balance();
    let rows = alerts.unwrap_or_default().iter().map(|alert| {
        let (what, by) = words(&alert.event);
        json!({"outpoint": alert.outpoint.to_string(), "tainted_sat": alert.amount.to_sat(), "event": what, "detail": by})
    });
    json!({
        "policy": reach.policy().name,
        "resumed_from": from,
        "height": watch.tip().map(|(height, _)| height),
        "hash": watch.tip().map(|(_, hash)| hash.to_string()),
        "alerts": rows.collect::<Vec<_>>(),
        "ends": reach.ends().len(),
        "seeded_sat": balance.seeded.to_sat(),
        "balance": {
            "ends_sat": balance.ends.to_sat(), "fees_sat": balance.fees.to_sat(), "burned_sat": balance.burned.to_sat(),
            "displaced_sat": balance.displaced.to_sat(), "truncated_sat": balance.truncated.to_sat(),
        },
    })
}

fn table(
    watch: &Watch,
    reach: &Reach<'_>,
    alerts: Option<&[Alert]>,
    from: Option<BlockHeight>,
    to: &mut impl Write,
) -> Result<(), Error> {
    let height = watch.tip().map_or(String::new(), |(height, hash)| format!(", as of block {height} ({hash})"));
    writeln!(to, "{}{height}: taint in {} outputs", reach.policy().name, reach.ends().len())?;
    match (from, alerts) {
        (_, None) => writeln!(to, "begun; what is new is shown from the next time on")?,
        (None, Some(_)) => writeln!(to, "begun anew: no block that the file remembers is in the chain")?,
        (Some(from), Some(_)) => writeln!(to, "went on from block {from}")?,
    }
    for alert in alerts.unwrap_or_default() {
        let (what, by) = words(&alert.event);
        writeln!(to, "  {what:8} {}  {} sat  {by}", alert.outpoint, alert.amount.to_sat())?;
    }
    Ok(())
}

fn words(event: &Event) -> (&'static str, String) {
    match event {
        Event::Undone => ("undone", String::new()),
        Event::Moved(by) => ("moved", by.to_string()),
        Event::Arrived(reason) => ("arrived", reason.to_string()),
        _ => ("other", String::new()),
    }
}

fn invalid(what: &str) -> Error {
    IoError::new(ErrorKind::InvalidInput, what).into()
}
