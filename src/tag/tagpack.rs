//! GraphSense's TagPacks: a YAML header whose fields every tag inherits, and a list of tags. Feature `tagpack`.
//!
//! The fields are those of tagpack-tool's schema. Four more are read, which are not in it: `license`, `since`, `until` and `retracted`. What
//! has a `network` is of that chain, and else of its `currency`'s; a token on Bitcoin has both. Unknown fields are errors: a misspelt
//! `confidence` would otherwise be none. Tags on transactions (`tx_hash`) are told as unusable: nothing here is asked by transaction.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{Options, Spanned};

use super::pack::{Pack, shown};
use super::{Date, Level, Tag};
use crate::error::{At, Error, TagError};

/// A mapping and a list in it, mappings in that, and their lists; nothing of this form is deeper.
const DEPTH_MAX: usize = 6;

/// Keys and values of a file of the greatest length, five bytes each.
const NODES_MAX: usize = 7 << 20;

/// What stands in the header and nowhere else.
const HEADER: [&str; 6] = ["title", "creator", "description", "owner", "is_public", "tags"];

/// What a tag may have, and the header for all tags.
const FIELDS: [&str; 20] = [
    "address",
    "tx_hash",
    "label",
    "source",
    "currency",
    "network",
    "context",
    "confidence",
    "is_cluster_definer",
    "created",
    "lastmod",
    "category",
    "abuse",
    "actor",
    "concepts",
    "tag_type",
    "license",
    "since",
    "until",
    "retracted",
];

enum Value {
    Text(String),
    Flag(bool),
    List(Vec<String>),
    Tags(Vec<Spanned<Fields>>),
}

/// A mapping, as small as what it says.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Mapping;

        impl<'de> Visitor<'de> for Mapping {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields with their values, such as \"label: NAME\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    let Some(known) = HEADER.iter().chain(&FIELDS).find(|known| **known == key) else {
                        let known = FIELDS.join(", ");
                        return Err(A::Error::custom(format!("unknown field {:?}; known are {known}", shown(&key))));
                    };
                    let value = match *known {
                        "is_cluster_definer" | "is_public" => map.next_value::<Option<bool>>()?.map(Value::Flag),
                        "concepts" => map.next_value::<Option<Vec<String>>>()?.map(Value::List),
                        "tags" => map.next_value::<Option<Vec<Spanned<Fields>>>>()?.map(Value::Tags),
                        _ => map.next_value::<Option<String>>()?.map(Value::Text),
                    };
                    fields.extend(value.map(|value| (*known, value)));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Mapping)
    }
}

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// A tag's own fields, and behind them the header's.
#[derive(Clone, Copy)]
struct Inherited<'f> {
    at: At,
    own: &'f Fields,
    header: &'f Fields,
}

impl<'f> Inherited<'f> {
    fn get(self, name: &str) -> Option<&'f Value> {
        self.own.get(name).or_else(|| self.header.get(name))
    }

    fn text(self, name: &str) -> Option<&'f str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn owned(self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    fn needed(self, field: &'static str) -> Result<&'f str, Error> {
        let mend = "give it one, or put it into the header for all tags";
        Ok(self.text(field).ok_or(TagError::Lacks { at: self.at, field, mend })?)
    }

    fn date(self, field: &'static str) -> Result<Option<Date>, Error> {
        self.text(field).map(|text| text.parse().map_err(|what| self.wrong(field, text, what))).transpose()
    }

    fn wrong(self, field: &'static str, found: &str, what: String) -> Error {
        TagError::Field { at: self.at, field, found: shown(found), what }.into()
    }
}

pub(super) fn read(bytes: &[u8], pack: &mut Pack) -> Result<(), Error> {
    let mut header: Fields = serde_saphyr::from_slice_with_options(bytes, options()).map_err(|error| bad(&error))?;
    let is_tags = |(name, _): &(&str, Value)| *name == "tags";
    let Some(Value::Tags(tags)) = header.0.iter().position(is_tags).map(|at| header.0.swap_remove(at).1) else {
        let what = "there are no tags; a TagPack has a list \"tags:\" of mappings with an address each".into();
        return Err(TagError::Bad { at: At::Line(1), what }.into());
    };
    // The tags are consumed as they are turned, so that they are not held twice.
    for Spanned { value: own, referenced, .. } in tags {
        let line = referenced.line();
        let fields = Inherited { at: At::Line(line), own: &own, header: &header };
        if let Some((name, _)) = own.0.iter().find(|(name, _)| HEADER.contains(name)) {
            let what = format!("the tag has a field {name:?}, which belongs into the header");
            return Err(TagError::Bad { at: fields.at, what }.into());
        }
        let tag = tag(fields, pack.name())?;
        let chain = fields.text("network").or(fields.text("currency"));
        match (own.get("address"), fields.text("tx_hash")) {
            (Some(Value::Text(address)), _) => pack.put(line, chain, address, tag),
            (_, Some(txid)) => pack.put_transaction(line, chain, txid),
            _ => {
                let mend = "give it one, or remove the tag";
                return Err(TagError::Lacks { at: fields.at, field: "address", mend }.into());
            }
        }
    }
    Ok(())
}

fn tag(fields: Inherited<'_>, file: &str) -> Result<Tag, Error> {
    let mut confidence = match fields.text("confidence") {
        None => None,
        Some(text) => {
            let level: Level = text.parse().map_err(|what| fields.wrong("confidence", text, what))?;
            Some(level.into())
        }
    };
    let concepts = match fields.get("concepts") {
        Some(Value::List(concepts)) => concepts.clone(),
        _ => Vec::new(),
    };
    let (since, until) = (fields.date("since")?, fields.date("until")?);
    if let Some(what) = super::date::misordered(since, until) {
        return Err(fields.wrong("until", fields.text("until").unwrap_or_default(), what));
    }
    let mut context = fields.owned("context");
    let mut inferred = None;
    if let Some(kept) = super::envelope::unwrapped(&context) {
        // A level that somebody wrote in since is theirs.
        let number = kept.confidence().filter(|_| confidence == Some(Level::Heuristic.into()));
        (confidence, inferred, context) = (number.or(confidence), kept.inferred, kept.context);
    }
    Ok(Tag {
        confidence,
        inferred,
        is_cluster_definer: matches!(fields.get("is_cluster_definer"), Some(Value::Flag(true))),
        actor: fields.owned("actor"),
        abuse: fields.owned("abuse"),
        concepts,
        context,
        lastmod: fields.date("lastmod")?,
        since,
        until,
        retracted: fields.date("retracted")?,
        pack: fields.text("title").unwrap_or(file).to_owned(),
        creator: fields.owned("creator"),
        license: fields.owned("license"),
        ..Tag::new(fields.needed("label")?, fields.owned("category"), fields.needed("source")?)
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_documents: 1,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        merge_keys: MergeKeyPolicy::Error,
    }
}

fn bad(error: &serde_saphyr::Error) -> Error {
    let place = error.location();
    let at = place.map_or(At::Line(1), |place| At::Column(place.line(), place.column()));
    let text = error.without_snippet().to_string();
    // The place is said once, in front.
    let what = place.and_then(|place| {
        text.strip_suffix(&format!(" at line {}, column {}", place.line(), place.column())).map(str::to_owned)
    });
    TagError::Bad { at, what: shown(&what.unwrap_or(text)) }.into()
}
