//! Tags as CSV: columns that the first line names. Feature `csv`.
//!
//! | column | meaning |
//! |---|---|
//! | `address` | the address |
//! | `label`, or `entity`, or `name` | who or what it is |
//! | `category`, `source`, `actor`, `abuse`, `context`, `license` | as [`Tag`]'s; without a source it is the file's name |
//! | `concepts` | with `;` between them |
//! | `confidence` | a level of GraphSense's, or a number from 0 to 100 |
//! | `is_cluster_definer` | `true` or `false` |
//! | `lastmod`, `since`, `until`, `retracted` | days, `YYYY-MM-DD` |
//! | `currency`, `network` | of which chain the address is; Bitcoin where neither says |
//!
//! An empty cell says nothing. Lines that begin with `#` are skipped. Other columns are told as [unread](super::Pack::unread).

use csv::{ReaderBuilder, StringRecord, Trim};

use super::pack::{Pack, shown};
use super::{Confidence, Date, Tag};
use crate::error::{At, Error, TagError};

const COLUMNS: [&str; 16] = [
    "address",
    "label",
    "category",
    "source",
    "actor",
    "abuse",
    "context",
    "license",
    "concepts",
    "confidence",
    "is_cluster_definer",
    "lastmod",
    "since",
    "until",
    "retracted",
    "network",
];

pub(super) fn read(bytes: &[u8], pack: &mut Pack) -> Result<(), Error> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut rows = ReaderBuilder::new().comment(Some(b'#')).trim(Trim::All).from_reader(bytes);
    let head = rows.headers().map_err(|error| bad(&error))?.clone();
    let places = columns(&head, pack)?;
    let mut row = StringRecord::new();
    while rows.read_record(&mut row).map_err(|error| bad(&error))? {
        let line = row.position().map_or(0, |place| begun(bytes, place));
        let cell = |name: &str| {
            let place = places.iter().find(|(known, _)| *known == name)?.1;
            row.get(place).filter(|text| !text.is_empty())
        };
        let tag = tag(line, &cell, pack.name())?;
        let address = cell("address").ok_or(TagError::Lacks {
            at: At::Line(line),
            field: "address",
            mend: "give it one, or remove the line",
        })?;
        let chain = cell("network").or(cell("currency"));
        pack.put(line, chain, address, tag);
    }
    Ok(())
}

/// The line on which a row begins: its place is where the row before it ended, and lines that are skipped may lie between.
fn begun(bytes: &[u8], place: &csv::Position) -> u64 {
    let rest = usize::try_from(place.byte()).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let skipped = |line: &&[u8]| line.trim_ascii().is_empty() || line.starts_with(b"#");
    place.line() + crate::id::number(rest.split(|byte| *byte == b'\n').take_while(skipped).count())
}

/// The columns that mean something, by the name they have here, and their places.
fn columns(head: &StringRecord, pack: &mut Pack) -> Result<Vec<(&'static str, usize)>, Error> {
    let mut places: Vec<(&'static str, usize)> = Vec::new();
    for (place, name) in head.iter().enumerate() {
        let name = match name.to_ascii_lowercase() {
            name if name == "entity" || name == "name" => "label".to_owned(),
            name if name == "licence" => "license".to_owned(),
            name => name,
        };
        let known = COLUMNS.iter().chain(&["currency"]).find(|known| **known == name);
        match known {
            Some(known) if places.iter().any(|(other, _)| other == known) => {
                let what = format!("two columns are named {known:?}; rename one of them");
                return Err(TagError::Bad { at: At::Line(1), what }.into());
            }
            Some(known) => places.push((known, place)),
            None => pack.leave_unread(&name),
        }
    }
    for needed in ["address", "label"] {
        if !places.iter().any(|(known, _)| *known == needed) {
            let what = format!("no column is named {needed:?}; the first line must name the columns");
            return Err(TagError::Bad { at: At::Line(1), what }.into());
        }
    }
    Ok(places)
}

fn tag<'r>(line: u64, cell: &impl Fn(&str) -> Option<&'r str>, file: &str) -> Result<Tag, Error> {
    let at = At::Line(line);
    let mend = "give it one, or remove the line";
    let label = cell("label").ok_or(TagError::Lacks { at, field: "label", mend })?;
    let text = |name: &str| cell(name).unwrap_or_default().to_owned();
    let date = |field: &'static str| -> Result<Option<Date>, Error> {
        cell(field).map(|text| text.parse().map_err(|what| wrong(at, field, text, what))).transpose()
    };
    let confidence =
        cell("confidence").map(|text| text.parse::<Confidence>().map_err(|what| wrong(at, "confidence", text, what)));
    let definer = match cell("is_cluster_definer") {
        None => false,
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(wrong(at, "is_cluster_definer", text, "write true or false".into())),
        },
    };
    let (since, until) = (date("since")?, date("until")?);
    if let Some(what) = super::date::misordered(since, until) {
        return Err(wrong(at, "until", cell("until").unwrap_or_default(), what));
    }
    let concepts = cell("concepts").unwrap_or_default().split(';').map(str::trim).filter(|word| !word.is_empty());
    Ok(Tag {
        confidence: confidence.transpose()?,
        is_cluster_definer: definer,
        actor: text("actor"),
        abuse: text("abuse"),
        concepts: concepts.map(str::to_owned).collect(),
        context: text("context"),
        lastmod: date("lastmod")?,
        since,
        until,
        retracted: date("retracted")?,
        pack: file.to_owned(),
        license: text("license"),
        ..Tag::new(label, text("category"), cell("source").unwrap_or(file))
    })
}

fn wrong(at: At, field: &'static str, found: &str, what: String) -> Error {
    TagError::Field { at, field, found: shown(found), what }.into()
}

fn bad(error: &csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the line has {len} cells and the first line {expected_len}; quote cells that hold a comma")
        }
        csv::ErrorKind::Utf8 { .. } => "the line is not UTF-8; save the file as UTF-8".to_owned(),
        _ => error.to_string(),
    };
    TagError::Bad { at: At::Line(line.max(1)), what }.into()
}
