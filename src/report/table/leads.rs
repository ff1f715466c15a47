//! Leads to services in words, and tagged addresses on the way.

use std::io::Write;

use super::ENDS_MAX;
use crate::error::Error;
use crate::report::{Report, elsewhere, passed as tagged, visible};

/// How many leads are shown.
const LEADS_MAX: usize = 8;

pub(super) fn leads(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    let sentences = report.sentences();
    if !sentences.is_empty() {
        writeln!(to, "\nLeads to services")?;
    }
    for sentence in sentences.iter().take(LEADS_MAX) {
        for (at, line) in sentence.to_string().lines().enumerate() {
            writeln!(to, "{}{line}", if at == 0 { "- " } else { "  " })?;
        }
    }
    if sentences.len() > LEADS_MAX {
        writeln!(to, "{} more leads are in the format json", sentences.len() - LEADS_MAX)?;
    }
    Ok(())
}

/// Where to look beside: the same order, and nobody says who is there.
pub(super) fn elsewhere(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    let rows = elsewhere::rows(report);
    let Some(first) = rows.first() else { return Ok(()) };
    writeln!(to, "\nLeads of which nobody says who is there, under {}", first.policy)?;
    for row in rows.iter().take(LEADS_MAX) {
        let (hops, more) = (if row.hops == 1 { "hop" } else { "hops" }, row.outputs.saturating_sub(1));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let address = row.address.as_deref().unwrap_or("no address");
        writeln!(to, "- {address}, {} {hops}, {}{more}\n    why it ranks here: {}", row.hops, row.outpoint, row.rank)?;
        if let Some(swap) = &row.swap {
            writeln!(to, "    {}", visible(swap))?;
        }
    }
    Ok(())
}

pub(super) fn passed(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    let rows = tagged::rows(report);
    let rows: Vec<_> = rows.iter().filter(|row| row.passed || row.conflict || !row.lapsed.is_empty()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        to,
        "\nTagged addresses that taint went past, of which sources say different things, or whose tags do not hold that day"
    )?;
    for row in rows.iter().take(ENDS_MAX) {
        let tags = row.tags.iter().map(ToString::to_string);
        let tags: Vec<String> = tags.chain(row.lapsed.iter().map(|tag| format!("NOT USED: {tag}"))).collect();
        let (address, conflict) =
            (row.address.as_deref().unwrap_or("no address"), if row.conflict { "CONFLICT " } else { "" });
        writeln!(to, "  {}  {address}  {conflict}{}", row.outpoint, visible(&tags.join("; or ")))?;
    }
    if rows.len() > ENDS_MAX {
        writeln!(to, "  and {} more", rows.len() - ENDS_MAX)?;
    }
    Ok(())
}
