//! `fundtrace trace --jobs`: every case of a folder, one summary.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::Network;
use fundtrace::spec::{self, Case, Job, ResolvedSeed, Rule};
use fundtrace::tag::Tags;
use fundtrace::trace::{Reach, Seed, Stop, Through, stop};
use fundtrace::{Chain, Error};
use serde_json::{Value, json};

use crate::input::{self, FormArgs};
use crate::progress::{Counted, Counter};
use crate::store::Bytes;
use crate::trace::{self, Args, Direction, Format};

/// A case file as it was read, with the command line's numbers in the place of its own.
struct Listed {
    file: PathBuf,
    case: Result<Case, Error>,
}

/// A case with all that its runs borrow.
struct Ready<'l> {
    case: &'l Case,
    given: Vec<ResolvedSeed>,
    seeds: Vec<Seed>,
    tags: Tags,
    rules: Vec<Rule>,
    through: Option<Through>,
}

impl Ready<'_> {
    fn stop(&self) -> Box<dyn Stop + '_> {
        let stop = self.case.stop(&self.tags);
        trace::stopped_at_mixes(stop, self.through.as_ref(), "--jobs").expect("a case that is ready stops at mixes")
    }
}

/// The rows of a case, one for each rule.
type Rows = Result<Vec<Value>, Error>;

/// What `--jobs` cannot show is told before anything is read.
fn check(args: &Args) -> Result<(), Error> {
    if args.direction == Direction::Backward {
        return Err(input::invalid(
            "--jobs goes forward only; run the cases one by one with --case and --direction backward",
        ));
    }
    match args.format {
        Format::Json | Format::Table => Ok(()),
        _ => Err(input::invalid("--jobs has the formats table and json")),
    }
}

pub(crate) fn run(folder: &Path, args: &Args) -> Result<(), Error> {
    check(args)?;
    // Each case reads the lists again; a bad one is told once.
    args.lists.rules()?;
    let files = files(folder).map_err(|error| Error::from(error).within(folder.display()))?;
    let read = |file: PathBuf| Listed { case: trace::read_case(&file).map(|case| trace::overridden(case, args)), file };
    let cases: Vec<Listed> = files.into_iter().map(read).collect();
    let done = if args.input.input.is_empty() { apart(&cases, args) } else { together(&cases, args)? };
    let mut to = BufWriter::new(std::io::stdout().lock());
    let mut failed = 0;
    let mut shown = Vec::new();
    for (listed, rows) in cases.iter().zip(done) {
        let (file, title) = (listed.file.file_name().unwrap_or_default().to_string_lossy(), listed.title());
        let rows = rows.unwrap_or_else(|error| {
            failed += 1;
            vec![json!({ "error": error.to_string() })]
        });
        let named = |mut row: Value| {
            (row["file"], row["case"]) = (file.as_ref().into(), title.into());
            row
        };
        shown.push(rows.into_iter().map(named).collect::<Vec<_>>());
    }
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut to, &shown.concat()).map_err(IoError::from)?;
            writeln!(to)?;
        }
        _ => table(&shown, &mut to)?,
    }
    to.flush()?;
    if failed > 0 {
        let what = format!("{failed} of {} cases failed; their rows say why", cases.len());
        return Err(Error::from(IoError::other(what)).within(folder.display()));
    }
    Ok(())
}

impl Listed {
    fn title(&self) -> Option<&str> {
        self.case.as_ref().ok()?.title.as_deref()
    }

    fn case(&self) -> Result<&Case, Error> {
        // An error cannot be copied, and this one is told once.
        self.case.as_ref().map_err(|error| input::invalid(error.to_string()))
    }
}

/// Every case over inputs of its own, one after the other: only one chain is in memory at a time.
fn apart(cases: &[Listed], args: &Args) -> Vec<Rows> {
    let one = |listed: &Listed| {
        let case = listed.case()?;
        let chain = load(case, &listed.file, args)?;
        let ready = ready(case, &listed.file, args, &chain)?;
        Ok(follow(&chain, &[ready]).concat())
    };
    cases.iter().map(one).collect()
}

/// All cases over one input, side by side.
fn together(cases: &[Listed], args: &Args) -> Result<Vec<Rows>, Error> {
    let (forms, network) = reading(cases, args)?;
    let chain = input::load(&args.input.input, &forms, network)?;
    let found: Vec<Result<Ready<'_>, Error>> =
        cases.iter().map(|listed| ready(listed.case()?, &listed.file, args, &chain)).collect();
    let mut failed = Vec::new();
    let mut sound = Vec::new();
    for one in found {
        match one {
            Ok(ready) => {
                sound.push(ready);
                failed.push(None);
            }
            Err(error) => failed.push(Some(error)),
        }
    }
    let mut rows = follow(&chain, &sound).into_iter();
    Ok(failed.into_iter().map(|failed| failed.map_or_else(|| Ok(rows.next().unwrap_or_default()), Err)).collect())
}

/// How to read the one input of all cases: as each of them would have it read alone. A store and block files know this themselves.
fn reading(cases: &[Listed], args: &Args) -> Result<(FormArgs, Option<Network>), Error> {
    let mut forms = args.input.forms;
    if input::is_store(&args.input.input) {
        return Ok((forms, args.input.network));
    }
    let sound: Vec<(&Listed, &Case)> =
        cases.iter().filter_map(|listed| Some((listed, listed.case.as_ref().ok()?))).collect();
    let network = match args.input.network {
        None => agreed(&sound, "network", Case::network)?,
        given => given,
    };
    if !input::is_of_blocks(&args.input.input) {
        if forms.from.is_none() {
            forms.from = agreed(&sound, "from", |case| Ok(case.from))?.flatten();
        }
        if forms.complete.is_none() {
            forms.complete = agreed(&sound, "complete", Case::complete)?.flatten();
        }
    }
    Ok((forms, network))
}

/// What all cases say; a case of which it cannot be told fails by itself later on.
fn agreed<T: PartialEq>(
    cases: &[(&Listed, &Case)],
    key: &str,
    of: impl Fn(&Case) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut first: Option<(&Listed, T)> = None;
    for (listed, case) in cases {
        let Ok(value) = of(case) else { continue };
        match &first {
            None => first = Some((listed, value)),
            Some((other, earlier)) if *earlier != value => {
                let (one, two) = (other.file.display(), listed.file.display());
                let what =
                    format!("{one} and {two} differ in `{key}`, and one input cannot be read in two ways; say --{key}");
                return Err(input::invalid(what));
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(_, value)| value))
}

/// The network of a case: the command line's, or its own.
fn network(case: &Case, args: &Args) -> Result<Option<Network>, Error> {
    let own = if case.network.is_some() { Some(case.network()?) } else { None };
    Ok(args.input.network.or(own))
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        if file.is_file() && file.extension().is_some_and(|extension| extension == "toml") {
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
    input::load(&trace::inputs(case, &[], Some(file))?, &forms, network(case, args)?)
}

fn ready<'l>(case: &'l Case, file: &Path, args: &Args, chain: &Chain<Bytes>) -> Result<Ready<'l>, Error> {
    let named = chain.network();
    if let Some(own) = network(case, args)?.filter(|own| *own != named) {
        return Err(input::invalid(format!("the case is of {own}, and the input of {named}")));
    }
    let tags = trace::known_tags(args, case, Some(file), named)?.tags;
    let view = case.height().map_or(chain.view(), |height| chain.as_of(height));
    let given = spec::resolve(view, &case.seeds()?)?;
    let rules = args.policy.as_ref().map_or_else(|| case.rules(), |named| Ok(named.0.clone()))?;
    let seeds = given.iter().flat_map(ResolvedSeed::seeds).collect();
    let through = trace::through(case, args)?;
    trace::stopped_at_mixes(Box::new(stop::never()), through.as_ref(), "--jobs")?;
    Ok(Ready { case, given, seeds, tags, rules, through })
}

/// Runs cases side by side; for each of them a row for every rule.
fn follow(chain: &Chain<Bytes>, cases: &[Ready<'_>]) -> Vec<Vec<Value>> {
    let stops: Vec<_> = cases.iter().map(Ready::stop).collect();
    let counter = Counter::new();
    let stops: Vec<_> = stops.iter().map(|stop| counter.over(&**stop)).collect();
    let mut jobs = Vec::new();
    for (ready, stop) in cases.iter().zip(&stops) {
        let view = ready.case.height().map_or(chain.view(), |height| chain.as_of(height));
        for rule in &ready.rules {
            jobs.push(Job::new(view, &ready.seeds, *rule).stop(stop).options(ready.case.options()));
        }
    }
    let mut found = spec::reach(&jobs).into_iter();
    let rows = |(ready, stop): (&Ready<'_>, &Counted<'_>)| {
        found.by_ref().take(ready.rules.len()).map(|reach| row(ready, stop, &reach)).collect()
    };
    cases.iter().zip(&stops).map(rows).collect()
}

fn row(ready: &Ready<'_>, stop: &Counted<'_>, reach: &Reach<'_>) -> Value {
    let (balance, view, options) = (reach.balance(), reach.view(), ready.case.options());
    json!({
        "policy": reach.policy().name,
        "conserving": reach.policy().conserving,
        "input_sha256": view.digest().to_string(),
        "as_of": view.height(),
        "fees": options.fees.as_str(),
        "coinbase_order": options.coinbase_order.as_str(),
        "stop": stop.describe(),
        "seeded_sat": balance.seeded.to_sat(),
        "ends": reach.ends().len(),
        "transactions": reach.transactions(),
        "ends_sat": balance.ends.to_sat(),
        "fees_sat": balance.fees.to_sat(),
        "burned_sat": balance.burned.to_sat(),
        "displaced_sat": balance.displaced.to_sat(),
        "truncated_sat": balance.truncated.to_sat(),
        "unseeded": reach.unseeded().len(),
        "left_out": input::left_out(view, &ready.given),
    })
}

fn table(cases: &[Vec<Value>], to: &mut impl Write) -> Result<(), Error> {
    const COLUMNS: [&str; 10] = [
        "policy",
        "seeded_sat",
        "ends",
        "transactions",
        "ends_sat",
        "fees_sat",
        "burned_sat",
        "displaced_sat",
        "truncated_sat",
        "unseeded",
    ];
    let text = |row: &Value, column: &str| match &row[column] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = || cases.iter().flatten().filter(|row| row["error"].is_null());
    let width = |column: &str| rows().map(|row| text(row, column).len()).max().unwrap_or(0).max(column.len());
    let widths = COLUMNS.map(width);
    for rows in cases {
        // Names may come from a stranger, and must not move the cursor.
        let seen = |value: &Value| value.as_str().unwrap_or_default().escape_debug().to_string();
        let Some(first) = rows.first() else { continue };
        let title = if first["case"].is_string() { format!(": {}", seen(&first["case"])) } else { String::new() };
        writeln!(to, "{}{title}", seen(&first["file"]))?;
        if !first["error"].is_null() {
            writeln!(to, "  error: {}\n", seen(&first["error"]))?;
            continue;
        }
        for output in first["left_out"].as_array().into_iter().flatten() {
            writeln!(to, "  left out, its height is unknown: {}", seen(output))?;
        }
        let head = COLUMNS.iter().zip(widths).map(|(column, width)| format!("{column:>width$}"));
        writeln!(to, "  {}", head.collect::<Vec<_>>().join("  "))?;
        for row in rows {
            let cells = COLUMNS.iter().zip(widths).map(|(column, width)| format!("{:>width$}", text(row, column)));
            writeln!(to, "  {}", cells.collect::<Vec<_>>().join("  "))?;
        }
        writeln!(to)?;
    }
    writeln!(to, "Poison is an upper bound and does not add up; every other row does.")?;
    Ok(())
}
