//! An exposure as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{CategoryExposure, ExposedTo, Exposure, ExposureRow, HopBucket};
use crate::trace::Way;

/// A row as it is written.
struct Written<'e>(&'e Exposure, &'e ExposureRow);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(exposure, row) = self;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("source", &exposure.sources[row.source.at()].0)?;
        match &row.to {
            ExposedTo::Service { category, abuse, label, hops } => {
                map.serialize_entry("category", category)?;
                map.serialize_entry("abuse", abuse)?;
                map.serialize_entry("label", label)?;
                map.serialize_entry("hops", hops.as_str())?;
                map.serialize_entry("tags", &row.tags)?;
                map.serialize_entry("inferred", &row.inferred)?;
                map.serialize_entry("conflict", &row.conflict)?;
                map.serialize_entry("undated", &row.undated)?;
                map.serialize_entry("is_service", &row.is_service)?;
            }
            ExposedTo::Elsewhere { why, detail, limit } => {
                map.serialize_entry("why", why)?;
                map.serialize_entry("detail", detail)?;
                map.serialize_entry("limit", limit)?;
            }
        }
        if let Some(way) = row.way {
            map.serialize_entry("mix_way", way.as_str())?;
        }
        map.serialize_entry("outputs", &row.outputs)?;
        map.serialize_entry("amount_sat", &row.amount.to_sat())?;
        map.end()
    }
}

/// A sum over the services of one category.
struct Total<'e> {
    source: &'e str,
    total: &'e CategoryExposure,
}

impl Serialize for Total<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("source", self.source)?;
        map.serialize_entry("category", &self.total.category)?;
        map.serialize_entry("direct_sat", &self.total.direct.to_sat())?;
        map.serialize_entry("indirect_sat", &self.total.indirect.to_sat())?;
        map.end()
    }
}

impl Exposure {
    /// From where hops count.
    fn hops_from(&self) -> &'static str {
        if self.sources.len() > 1 { "the nearest seed of any source" } else { "the nearest seed" }
    }
}

impl Serialize for Exposure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let sources: BTreeMap<&str, u64> =
            self.sources.iter().map(|(label, value)| (label.as_str(), value.to_sat())).collect();
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("policy", self.policy.name)?;
        map.serialize_entry("version", &self.policy.version)?;
        map.serialize_entry("conserving", &self.policy.conserving)?;
        map.serialize_entry("direction", if self.backward { "backward" } else { "forward" })?;
        map.serialize_entry("stop", &self.stop)?;
        map.serialize_entry("fees", self.fees.as_str())?;
        map.serialize_entry("sources_sat", &sources)?;
        map.serialize_entry("as_of", &self.as_of)?;
        map.serialize_entry("hops_from", self.hops_from())?;
        let totals = self.by_category();
        let totals = totals.iter().map(|total| Total { source: &self.sources[total.source.at()].0, total });
        map.serialize_entry("by_category", &totals.collect::<Vec<_>>())?;
        for (name, rows) in [("rows", &self.rows), ("passed", &self.passed)] {
            map.serialize_entry(name, &rows.iter().map(|row| Written(self, row)).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, stop) = (self.policy.name, &self.stop);
        let way = if self.backward { "where it came from" } else { "where it went" };
        let as_of = self.as_of.map_or(String::new(), |height| format!(" up to height {height}, nothing later"));
        writeln!(f, "Exposure under {name}: {way}{as_of}; stops: {stop}; fees {}", self.fees.phrase())?;
        if !self.policy.conserving {
            writeln!(f, "  an upper bound: the rows overlap and need not add up")?;
        }
        if self.sources.len() > 1 {
            writeln!(f, "  hops count from {}: one source's may be another's", self.hops_from())?;
        }
        for (at, (label, value)) in self.sources.iter().enumerate() {
            writeln!(f, "  {}: {} sat", label.escape_debug(), value.to_sat())?;
            for row in self.rows.iter().filter(|row| row.source.at() == at) {
                self.line(f, row)?;
            }
            for total in self.by_category().iter().filter(|total| total.source.at() == at) {
                let category = if total.category.is_empty() { "no category" } else { &total.category };
                let (direct, indirect) = (total.direct.to_sat(), total.indirect.to_sat());
                writeln!(f, "    {} in all: {direct} sat at one hop, {indirect} sat further", category.escape_debug())?;
            }
        }
        if !self.passed.is_empty() {
            writeln!(f, "  and past these, at which the run did not stop (in the rows above, too):")?;
        }
        for (at, (label, _)) in self.sources.iter().enumerate() {
            let rows: Vec<_> = self.passed.iter().filter(|row| row.source.at() == at).collect();
            if !rows.is_empty() {
                writeln!(f, "  {}", label.escape_debug())?;
            }
            for row in rows {
                self.line(f, row)?;
            }
        }
        Ok(())
    }
}

impl Exposure {
    /// `5 sat  62.50 %  exchange, Example Exchange, 1 hop, direct (1 tag)`
    fn line(&self, f: &mut fmt::Formatter<'_>, row: &ExposureRow) -> fmt::Result {
        let of = u128::from(self.sources[row.source.at()].1.to_sat());
        // To the nearest hundredth of a per cent.
        let share = (u128::from(row.amount.to_sat()) * 10_000 + of / 2).checked_div(of).unwrap_or(0);
        write!(f, "  {:>20} sat {:>4}.{:02} %  ", row.amount.to_sat(), share / 100, share % 100)?;
        match &row.to {
            ExposedTo::Service { category, abuse, label, hops } => {
                let named = if category.is_empty() { "no category" } else { category };
                let abuse = if abuse.is_empty() || abuse == category { String::new() } else { format!(", {abuse}") };
                let unit = match hops {
                    HopBucket::Direct if self.sources.len() > 1 => "hop",
                    HopBucket::Direct => "hop, direct",
                    _ => "hops",
                };
                let (named, abuse, label) = (named.escape_debug(), abuse.escape_debug(), label.escape_debug());
                write!(f, "{named}{abuse}, {label}, {} {unit}", hops.as_str())?;
                match row.tags {
                    0 => f.write_str(" (by a rule about services")?,
                    1 => f.write_str(" (1 tag")?,
                    tags => write!(f, " ({tags} tags")?,
                }
                f.write_str(if row.inferred { ", inferred" } else { "" })?;
                f.write_str(if row.is_service { "" } else { ", no service" })?;
                f.write_str(if row.undated { ", on some days alone, and the payment's is not known" } else { "" })?;
                f.write_str(if row.conflict { ", CONFLICT)" } else { ")" })?;
            }
            ExposedTo::Elsewhere { why, detail, limit } => {
                let detail = if detail.is_empty() { String::new() } else { format!(" ({})", detail.escape_debug()) };
                let limit = if *limit { ", cut by a limit" } else { "" };
                write!(f, "no tagged service: {}{detail}{limit}", why.replace('_', " "))?;
            }
        }
        writeln!(f, "{}", row.way.map_or("", Way::phrase))
    }
}
