//! `fundtrace trace --jobs`: every case of a folder, one summary.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::Network;
use fundtrace::spec::{self, Case, Job, ResolvedSeed, Rule};
use fundtrace::tag::Tags;
use fundtrace::trace::{Reach, Seed};
use fundtrace::{Chain, Error};
use serde_json::json;

use crate::input;
use crate::progress::Counter;
use crate::store::Bytes;
use crate::trace::{self, Args, Format};

/// A case with all that its runs borrow.
struct Ready {
    name: String,
    case: Case,
    seeds: Vec<Seed>,
    tags: Tags,
    rules: Vec<Rule>,
}

pub(crate) fn run(folder: &Path, args: &Args) -> Result<(), Error> {
    let files = files(folder).map_err(|error| Error::from(error).within(folder.display()))?;
    let mut to = BufWriter::new(std::io::stdout().lock());
    let mut rows = Vec::new();
    if args.input.input.is_empty() {
        for file in &files {
            let ready = |chain: &Chain<Bytes>| ready(file, args, chain).map_err(|error| error.within(file.display()));
            let case = trace::overridden(trace::read_case(file).map_err(|error| error.within(file.display()))?, args);
            let chain = load(&case, file, args).map_err(|error| error.within(file.display()))?;
            rows.extend(follow(&chain, &[ready(&chain)?]));
        }
    } else {
        let chain = input::load(&args.input.input, &args.input.forms, args.input.network)?;
        let ready = files.iter().map(|file| ready(file, args, &chain).map_err(|error| error.within(file.display())));
        rows = follow(&chain, &ready.collect::<Result<Vec<_>, Error>>()?);
    }
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut to, &rows).map_err(IoError::from)?;
            writeln!(to)?;
        }
        Format::Table => table(&rows, &mut to)?,
        _ => return Err(IoError::new(ErrorKind::InvalidInput, "--jobs has the formats table and json").into()),
    }
    Ok(to.flush()?)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(IoError::new(ErrorKind::NotFound, "the folder holds no case file (*.toml)"));
    }
    Ok(files)
}

/// The chain of a case that names its own inputs.
fn load(case: &Case, file: &Path, args: &Args) -> Result<Chain<Bytes>, Error> {
    let mut forms = args.input.forms;
    forms.from = forms.from.or(case.from);
    if forms.complete.is_none() {
        forms.complete = case.complete()?;
    }
    let named = if case.network.is_some() { Some(case.network()?) } else { None };
    input::load(&trace::inputs(case, &args.input.input, Some(file))?, &forms, args.input.network.or(named))
}

fn ready(file: &Path, args: &Args, chain: &Chain<Bytes>) -> Result<Ready, Error> {
    let case = trace::overridden(trace::read_case(file)?, args);
    let network: Network = chain.network();
    let mut tags = case.tags(network)?;
    for entry in &args.tag {
        let (script, tag) = entry.resolve(network)?;
        tags.insert(script, tag);
    }
    let view = case.height().map_or(chain.view(), |height| chain.as_of(height));
    let given = spec::resolve(view, &case.seeds()?)?;
    let rules = args.policy.as_ref().map_or_else(|| case.rules(), |named| Ok(named.0.clone()))?;
    let name =
        case.title.clone().unwrap_or_else(|| file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    Ok(Ready { name, case, seeds: given.iter().flat_map(ResolvedSeed::seeds).collect(), tags, rules })
}

/// Runs cases side by side; a row for every case and rule.
fn follow(chain: &Chain<Bytes>, cases: &[Ready]) -> Vec<serde_json::Value> {
    let stops: Vec<_> = cases.iter().map(|ready| ready.case.stop(&ready.tags)).collect();
    let counter = Counter::new();
    let stops: Vec<_> = stops.iter().map(|stop| counter.over(&**stop)).collect();
    let mut jobs = Vec::new();
    let mut names = Vec::new();
    for (ready, stop) in cases.iter().zip(&stops) {
        let view = ready.case.height().map_or(chain.view(), |height| chain.as_of(height));
        for rule in &ready.rules {
            jobs.push(Job::new(view, &ready.seeds, *rule).stop(stop).options(ready.case.options()));
            names.push(ready.name.as_str());
        }
    }
    spec::reach(&jobs).iter().zip(names).map(|(reach, name)| row(name, reach)).collect()
}

fn row(name: &str, reach: &Reach<'_>) -> serde_json::Value {
    let balance = reach.balance();
    json!({
        "case": name,
        "policy": reach.policy().name,
        "conserving": reach.policy().conserving,
        "seeded_sat": balance.seeded.to_sat(),
        "ends": reach.ends().len(),
        "transactions": reach.transactions(),
        "ends_sat": balance.ends.to_sat(),
        "fees_sat": balance.fees.to_sat(),
        "burned_sat": balance.burned.to_sat(),
        "displaced_sat": balance.displaced.to_sat(),
        "truncated_sat": balance.truncated.to_sat(),
        "unseeded": reach.unseeded().len(),
    })
}

fn table(rows: &[serde_json::Value], to: &mut impl Write) -> Result<(), Error> {
    const COLUMNS: [&str; 9] = [
        "policy",
        "seeded_sat",
        "ends",
        "transactions",
        "ends_sat",
        "fees_sat",
        "burned_sat",
        "displaced_sat",
        "truncated_sat",
    ];
    let text = |row: &serde_json::Value, column: &str| match &row[column] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let width = |column: &str| rows.iter().map(|row| text(row, column).len()).max().unwrap_or(0).max(column.len());
    let widths = COLUMNS.map(width);
    let mut last = "";
    for row in rows {
        let case = row["case"].as_str().unwrap_or_default();
        if case != last {
            // A title may come from a stranger, and must not move the cursor.
            writeln!(to, "{}{}", if last.is_empty() { "" } else { "\n" }, case.escape_debug())?;
            let head = COLUMNS.iter().zip(widths).map(|(column, width)| format!("{column:>width$}"));
            writeln!(to, "  {}", head.collect::<Vec<_>>().join("  "))?;
            last = case;
        }
        let cells = COLUMNS.iter().zip(widths).map(|(column, width)| format!("{:>width$}", text(row, column)));
        writeln!(to, "  {}", cells.collect::<Vec<_>>().join("  "))?;
    }
    writeln!(to, "\nPoison is an upper bound and does not add up; every other row does.")?;
    Ok(())
}
