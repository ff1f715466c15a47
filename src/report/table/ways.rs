//! How taint came there: bounds, routes, peel chains, evidence, and what is missing.

use std::io::Write;

use comfy_table::{Cell, CellAlignment};

use super::{ENDS_MAX, grouped, table};
use crate::error::Error;
use crate::id::OutputIndex;
use crate::report::{Report, peels, routes, visible};
use crate::trace::{Bound, Gap, Most, PathLimits, Paths, Trace};

pub(super) fn routes_to(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    for row in routes::rows(report) {
        let order = row.order.replace('-', " ");
        writeln!(to, "\nRoutes to {}, {order} first, on what {} touches", row.to, row.policy)?;
        if row.routes.is_empty() {
            writeln!(to, "  none")?;
        }
        for route in &row.routes {
            let (hops, width) = (route.hops, grouped(route.width_sat));
            writeln!(to, "  {hops} hops, no narrower than {width} sat, from {}", visible(route.source))?;
            for step in &route.steps {
                let share = step.share_sat.map_or(String::new(), |[part, whole]| {
                    format!(
                        " ({} of {} sat) into {}",
                        grouped(part),
                        grouped(whole),
                        step.into.as_deref().unwrap_or("")
                    )
                });
                let owner = step.owner.as_ref().and_then(Option::as_ref);
                let owner = owner.map_or(String::new(), |owner| format!(", appears to be of {}", owner.cluster));
                writeln!(to, "    {}  {} sat{share}{owner}", step.via, grouped(step.value_sat))?;
            }
        }
        if row.more {
            writeln!(to, "  and more")?;
        }
    }
    Ok(())
}

pub(super) fn peel_chains(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    for row in peels::rows(report) {
        let (entered, peeled, rest) = (grouped(row.entered_sat), grouped(row.peeled_sat), grouped(row.rest_sat));
        let (cut, most) =
            (if row.cut_short { ", cut short by a tag," } else { "" }, if row.upper_bound { "at most " } else { "" });
        writeln!(to, "\nPeel chain of {} transactions{cut} from {} to {}", row.transactions, row.from, row.to)?;
        let percent = row.confidence_ppm / 10_000;
        writeln!(to, "  {}", peels::MEANING)?;
        writeln!(to, "  inferred by {}, confidence {percent} %; what goes on is told by {}", row.rule, row.change)?;
        writeln!(
            to,
            "  under {}: {most}{entered} sat in, {most}{peeled} sat peeled, {most}{rest} sat left",
            row.policy
        )?;
        writeln!(to, "  {most}{} sat in fees, {most}{} sat lost", grouped(row.fees_sat), grouped(row.lost_sat))?;
        if row.upper_bound {
            writeln!(to, "  these amounts are upper bounds: they overlap and must not be summed")?;
        }
        let tag = row.stop_tag.as_ref().map_or(String::new(), |tag| format!(", {}", visible(tag)));
        writeln!(to, "  ends: {}{tag}", row.stop.unwrap_or("the trace does").replace('_', " "))?;
        for peel in &row.peels {
            let address = peel.address.as_deref().unwrap_or("no address");
            writeln!(to, "    {}  {most}{} sat  {address}", peel.output, grouped(peel.tainted_sat))?;
        }
    }
    Ok(())
}

pub(super) fn bounds(bounds: &[Bound], traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let Some(first) = bounds.first() else { return Ok(()) };
    writeln!(
        to,
        "\nBounds under every rule that conserves value transaction by transaction, on these transactions, seeds and ends,\n\
         followed without limits and with fees {}",
        first.fees.phrase()
    )?;
    let mut table = table(&["place", "at least (sat)", "at most (sat)"]);
    for bound in bounds {
        let least = bound.least.map_or("not found".to_owned(), |least| grouped(least.to_sat()));
        let most = match bound.most {
            Most::Sat(most) => grouped(most.to_sat()),
            Most::Void => "void".to_owned(),
            _ => "not found".to_owned(),
        };
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([Cell::new(visible(&bound.name)), right(least), right(most)]);
    }
    writeln!(to, "{table}")?;
    for gap in [Gap::UnknownSpender, Gap::Limit] {
        if bounds.iter().any(|bound| bound.void.contains(&gap)) {
            writeln!(to, "  Void: {}, and value may come from there.", gap.because())?;
        }
    }
    if traces.iter().flat_map(Trace::ends).any(|end| end.reason.is_limit()) {
        writeln!(to, "  A rule that a limit cut, further up, may hold less than the least here.")?;
    }
    if bounds.iter().any(|bound| bound.least.is_none() || bound.most == Most::GaveUp) {
        writeln!(to, "  Not found: a limit on the work was reached first.")?;
    }
    Ok(())
}

pub(super) fn evidence(
    report: &Report<'_, '_>,
    shown: &[&Trace<'_>],
    output: OutputIndex,
    limits: PathLimits,
    to: &mut impl Write,
) -> Result<(), Error> {
    let Some(first) = shown.first() else { return Ok(()) };
    writeln!(to, "\nHow taint came to {}", first.view().output(output).outpoint())?;
    for trace in shown {
        let found = trace.paths(output, limits);
        let Paths { paths, hit, .. } = &found;
        if paths.is_empty() {
            writeln!(to, "  under {} none came", trace.policy().name)?;
        }
        for path in paths {
            let told = match report.owners {
                Some(owners) => path.explain_with(trace, owners).to_string(),
                None => path.explain(trace).to_string(),
            };
            writeln!(to, "  {}", told.replace('\n', "\n  "))?;
        }
        if hit.is_some() && trace.policy().conserving {
            let (explained, tainted) = (found.explained().to_sat(), found.tainted.to_sat());
            writeln!(to, "  (there are more ways: these explain {} of {} sat)", grouped(explained), grouped(tainted))?;
        } else if hit.is_some() {
            writeln!(to, "  (there are more ways)")?;
        }
    }
    Ok(())
}

pub(super) fn missing(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let mut missing: Vec<_> = traces.iter().flat_map(Trace::missing).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    writeln!(to, "\nTo get further, supply:")?;
    for missing in missing.iter().take(ENDS_MAX) {
        writeln!(to, "  {missing}")?;
    }
    if missing.len() > ENDS_MAX {
        writeln!(to, "  and {} more", missing.len() - ENDS_MAX)?;
    }
    Ok(())
}
