//! What a person reads in a terminal. Feature `table`.

mod mixes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use bitcoin::Amount;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::sentence::telling;
use super::{Arrived, Manifest, Report, Spread, passed, peels, routes, visible};
use crate::chain::Counts;
use crate::error::Error;
use crate::id::OutputIndex;
use crate::trace::{Bound, Fees, Gap, Most, Owner, PathLimits, Paths, Reason, Trace};

/// How many ends are shown; the rest is counted.
const ENDS_MAX: usize = 40;

/// How many leads are shown.
const LEADS_MAX: usize = 8;

/// How many sources of an end are shown; the rest is hinted at.
const SOURCES_MAX: usize = 4;

/// Writes the balance sheets, the ends with the spread between the rules, and evidence paths: to the outputs of `explain`, and without
/// any to the end that holds the most.
///
/// Amounts are in satoshis, grouped by thousands.
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
/// report::table::write(&report, &mut bytes)?;
/// assert!(String::from_utf8(bytes).unwrap().contains("Balance"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write(report: &Report<'_, '_>, mut to: impl Write) -> Result<(), Error> {
    let (traces, explain) = (report.traces, report.explain);
    head(&report.manifest(), &mut to)?;
    balances(traces, &mut to)?;
    fees_note(traces, &mut to)?;
    inside_note(traces, &mut to)?;
    mixes::write(traces, &mut to)?;
    let mut ends = report.spreads();
    // The sort is stable, so equals stay in chain order.
    ends.sort_by_key(|end| std::cmp::Reverse((end.most(), end.least())));
    if ends.is_empty() {
        writeln!(to, "\nNo output holds taint.")?;
    } else {
        end_table(report, &ends, &mut to)?;
        owner_table(report, &mut to)?;
    }
    leads(report, &mut to)?;
    passed(report, &mut to)?;
    for exposure in traces.iter().filter_map(|trace| report.exposure_of(trace)) {
        write!(to, "\n{exposure}")?;
    }
    bounds(report.bounds, traces, &mut to)?;
    routes_to(report, &mut to)?;
    peel_chains(report, &mut to)?;
    for output in explain {
        evidence(report, &traces.iter().collect::<Vec<_>>(), *output, report.limits, &mut to)?;
    }
    if let (true, Some(end)) = (explain.is_empty(), ends.first()) {
        evidence(report, &[telling(traces)], end.output, report.limits.paths(3), &mut to)?;
        writeln!(to, "For another output, or under every rule, name it (--explain TXID:VOUT on the command line).")?;
    }
    missing(traces, &mut to)
}

fn leads(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
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

fn passed(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    let rows = passed::rows(report);
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

fn routes_to(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
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

fn peel_chains(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
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

fn bounds(bounds: &[Bound], traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
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

fn head(manifest: &Manifest, to: &mut impl Write) -> Result<(), Error> {
    let Counts { transactions, transactions_proven, stubs, prevouts_proven, prevouts_claimed, .. } =
        manifest.input.counts;
    let as_of = manifest.view.as_of.map_or("all of it".to_owned(), |height| format!("as of height {height}"));
    writeln!(to, "fundtrace {}, {}, {as_of}", manifest.fundtrace, manifest.network)?;
    writeln!(to, "input   {}", manifest.input.sha256)?;
    writeln!(
        to,
        "        {transactions} transactions ({transactions_proven} proven by their bytes), {stubs} more only known as spent; \
         prevouts: {prevouts_proven} proven, {prevouts_claimed} claimed"
    )?;
    for txid in &manifest.view.left_out {
        writeln!(to, "        left out, its height is unknown: {txid}")?;
    }
    for seed in &manifest.seeds {
        let label = if seed.label == seed.given { String::new() } else { format!("{}: ", visible(&seed.label)) };
        writeln!(to, "seed    {label}{}", visible(&seed.given))?;
        for outpoint in &seed.left_out {
            writeln!(to, "        left out, its height is unknown: {outpoint}")?;
        }
        for (outpoint, sat) in &seed.outputs {
            writeln!(to, "        {outpoint}  {} sat", grouped(*sat))?;
        }
    }
    for file in &manifest.tags {
        let changed = file.changed.map_or(String::new(), |(first, last)| format!(", changed {first} to {last}"));
        let left_out = match file.elsewhere.values().sum::<u64>() + crate::id::number(file.unusable) {
            0 => String::new(),
            left_out => format!(", {left_out} left out"),
        };
        writeln!(to, "tags    {}: {} used{left_out}{changed}", visible(&file.name), file.tags)?;
        writeln!(to, "        sha256 {}", file.sha256)?;
    }
    for outpoint in &manifest.unseeded {
        writeln!(to, "seed    NOT USED, it is not in view or its value is unknown: {outpoint}")?;
    }
    if let Some(owners) = &manifest.owners {
        let moves = if owners.entities { "; what stays inside one cluster is no move" } else { "" };
        writeln!(to, "owners  inferred by {}{moves}", crate::trace::told(&owners.rules))?;
    }
    if let Some(peels) = &manifest.peels {
        writeln!(to, "peels   {} with {}: {}", peels.rule, peels.change, peels.terms_told())?;
    }
    let options = manifest.conventions.options;
    let order = match options.fees {
        Fees::Coinbase => format!(" ({})", options.coinbase_order.as_str()),
        _ => String::new(),
    };
    writeln!(to, "fees    {}{order}; stops: {}", options.fees.as_str(), manifest.stop)?;
    Ok(())
}

fn balances(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    let header = ["Balance (sat)", "seeded", "= ends", "+ fees", "+ burned", "+ displaced", "+ truncated", ""];
    let mut table = table(&header);
    for trace in traces {
        let balance = trace.balance();
        let verdict = match (trace.policy().conserving, balance.adds_up()) {
            (true, true) => "adds up",
            (true, false) => "DOES NOT ADD UP",
            (false, _) => "upper bound: need not add up",
        };
        let amounts =
            [balance.seeded, balance.ends, balance.fees, balance.burned, balance.displaced, balance.truncated];
        let mut row = vec![Cell::new(trace.policy().name)];
        row.extend(amounts.map(number));
        row.push(Cell::new(verdict));
        table.add_row(row);
    }
    writeln!(to, "\n{table}")?;
    Ok(())
}

/// Transfers between addresses of one owner.
fn inside_note(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    for trace in traces {
        let sat = trace.inside().map_or(0, |inside| inside.taint_sat);
        if let Some(sentence) = super::inside_sentence(trace, &grouped(sat)) {
            writeln!(to, "{}: {sentence}", trace.policy().name)?;
        }
    }
    Ok(())
}

/// What each owner holds, and the least hops to it; the same order as the ends' where one rule was run.
fn owner_table(report: &Report<'_, '_>, to: &mut impl Write) -> Result<(), Error> {
    let Some(owners) = report.owners else { return Ok(()) };
    let (traces, view) = (report.traces, report.traces[0].view());
    let mut held: BTreeMap<Option<Owner>, (BTreeSet<OutputIndex>, u32, Vec<Amount>)> = BTreeMap::new();
    for (at, trace) in traces.iter().enumerate() {
        for holding in trace.holdings(owners) {
            let row = held
                .entry(holding.owner)
                .or_insert_with(|| (BTreeSet::new(), u32::MAX, vec![Amount::ZERO; traces.len()]));
            row.0.extend(holding.outputs.iter());
            row.1 = row.1.min(holding.hops);
            row.2[at] = holding.amount;
        }
    }
    let mut rows: Vec<_> = held.into_iter().collect();
    // What nobody is known to own comes last, for it is no owner.
    rows.sort_by_key(|(owner, (.., amounts))| (owner.is_none(), std::cmp::Reverse(amounts.iter().max().copied())));
    let mut table = table(&["Owner (inferred)", "addresses", "ends", "by rule"]);
    for (owner, (outputs, hops, amounts)) in rows.iter().take(ENDS_MAX) {
        let name =
            owner.map_or("no address: owner not inferred".to_owned(), |owner| view.address(owner.name).to_string());
        let unit = if *hops == 1 { "hop" } else { "hops" };
        let agreed = traces.len() > 1 && amounts.iter().all(|amount| *amount == amounts[0]);
        let each = traces
            .iter()
            .zip(amounts)
            .map(|(trace, amount)| format!("{} {}", trace.policy().name, grouped(amount.to_sat())));
        let by_rule = if agreed {
            format!("every rule {}", grouped(amounts[0].to_sat()))
        } else {
            each.collect::<Vec<_>>().join("\n")
        };
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row(vec![
            Cell::new(format!("{name}\n{hops} {unit}")),
            right(owner.map_or_else(|| "-".to_owned(), |owner| owner.addresses.to_string())),
            right(outputs.len().to_string()),
            right(by_rule),
        ]);
    }
    writeln!(to, "\n{table}")?;
    if rows.len() > ENDS_MAX {
        writeln!(to, "{} more owners are not shown; the format json has them all", rows.len() - ENDS_MAX)?;
    }
    writeln!(
        to,
        "An owner is an inference: addresses that appear to have one owner under {}, named by the first of them.",
        owners.told()
    )?;
    if traces.iter().any(|trace| !trace.policy().conserving) {
        writeln!(to, "Under poison an owner's amount is the value of its outputs.")?;
    }
    Ok(())
}

fn counted(addresses: usize) -> String {
    if addresses == 1 { "an address by itself".to_owned() } else { format!("{addresses} addresses") }
}

/// Fees that were asked to be followed and could not be.
fn fees_note(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
    if traces[0].options().fees != Fees::Coinbase {
        return Ok(());
    }
    for trace in traces {
        let stuck = trace.fees().iter().filter(|fee| fee.coinbase.is_none()).count();
        if stuck > 0 {
            let (name, all) = (trace.policy().name, trace.fees().len());
            writeln!(
                to,
                "{name}: {stuck} of {all} tainted fees were not followed, because their blocks are not here whole"
            )?;
        }
    }
    Ok(())
}

fn end_table(report: &Report<'_, '_>, ends: &[Spread], to: &mut impl Write) -> Result<(), Error> {
    let traces = report.traces;
    let mut table = table(&["Where it ends", "value", "least", "most", "by rule"]);
    for end in ends.iter().take(ENDS_MAX) {
        let output = traces[0].view().output(end.output);
        let address = output.address().map_or("no address".to_owned(), |address| address.to_string());
        let mut place = format!("{}\n{address}\n{}", output.outpoint(), reasons(traces, end.output));
        if report.owners.is_some() {
            place += &match report.owner(end.output) {
                Some((owner, name)) => format!("\nowner (inferred): {name}, {}", counted(owner.addresses)),
                None => "\nowner: not inferred".to_owned(),
            };
        }
        let names = traces.iter().map(|trace| trace.policy().name);
        let each = names.zip(&end.by_rule).map(|(name, arrived)| format!("{name} {}", arrived_text(traces, arrived)));
        let agreed = traces.len() > 1 && end.is_agreed();
        let by_rule = if agreed { "every rule the same".to_owned() } else { each.collect::<Vec<_>>().join("\n") };
        table.add_row(vec![
            Cell::new(place),
            number(output.value().unwrap_or(Amount::ZERO)),
            number(end.least()),
            number(end.most()),
            Cell::new(by_rule).set_alignment(CellAlignment::Right),
        ]);
    }
    writeln!(to, "\n{table}")?;
    if ends.len() > ENDS_MAX {
        writeln!(to, "{} more ends are not shown; every format but this one has them all", ends.len() - ENDS_MAX)?;
    }
    if let (Some(height), true) = (traces[0].view().height(), unknown_spender(traces)) {
        writeln!(to, "unknown_spender: up to height {height} nothing here spends it; later spends are not looked at.")?;
    }
    if ends.iter().any(Spread::is_cut) {
        writeln!(
            to,
            "A stop cut some rules and not others: there least and most speak only for the rules that were followed."
        )?;
    }
    if traces.len() > 1 {
        writeln!(to, "No rule is truer than another: the spread between least and most is the result.")?;
    }
    if traces.iter().any(|trace| !trace.policy().conserving) {
        let but = if traces[0].stop().contains("budget") { " (unless the budget cut it short)" } else { "" };
        writeln!(
            to,
            "Poison is an upper bound: what it does not reach, no rule reaches{but}; its amounts must not be summed."
        )?;
    }
    Ok(())
}

fn unknown_spender(traces: &[Trace<'_>]) -> bool {
    traces.iter().flat_map(Trace::ends).any(|end| end.reason == Reason::UnknownSpender)
}

/// How much a rule puts at an end, and whose it is where there are several sources.
fn arrived_text(traces: &[Trace<'_>], arrived: &Arrived) -> String {
    let (amount, by_source, more) = match arrived {
        Arrived::Ended(amount, by_source) => (amount, by_source, ""),
        Arrived::WentOn(amount, by_source) => (amount, by_source, ", went on"),
        Arrived::Nothing => return "0".to_owned(),
        Arrived::Cut => return "not followed here".to_owned(),
    };
    let mut text = grouped(amount.to_sat());
    if traces[0].sources().len() > 1 {
        let shares = by_source.iter().take(SOURCES_MAX);
        let shares =
            shares.map(|(source, amount)| format!("{} {}", traces[0].label(*source), grouped(amount.to_sat())));
        let dots = if by_source.len() > SOURCES_MAX { ", ..." } else { "" };
        text = format!("{text} ({}{dots})", visible(&shares.collect::<Vec<_>>().join(", ")));
    }
    text + more
}

/// The reasons and least hops that the rules give for an end.
fn reasons(traces: &[Trace<'_>], output: OutputIndex) -> String {
    let ends = traces.iter().filter_map(|trace| {
        let at = trace.ends().binary_search_by_key(&output, |end| end.output).ok()?;
        Some(&trace.ends()[at])
    });
    let mut reasons: Vec<String> = Vec::new();
    for end in ends.clone() {
        let reason = match &end.reason {
            Reason::Tagged(tag) if !tag.source.is_empty() => {
                let changed = tag.lastmod.map_or(String::new(), |day| format!(", changed {day}"));
                format!("{}, says {}{changed}", end.reason, tag.source)
            }
            reason => reason.to_string(),
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let hops = ends.map(|end| end.hops).min().unwrap_or(0);
    let unit = if hops == 1 { "hop" } else { "hops" };
    format!("{}, {hops} {unit}", visible(&reasons.join(", ")))
}

fn evidence(
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

fn missing(traces: &[Trace<'_>], to: &mut impl Write) -> Result<(), Error> {
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

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(Cell::new));
    table
}

fn number(amount: Amount) -> Cell {
    Cell::new(grouped(amount.to_sat())).set_alignment(CellAlignment::Right)
}

fn grouped(sat: impl Into<u128>) -> String {
    let sat: u128 = sat.into();
    let digits = sat.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!(super::grouped(6_369_996_546_u64), "6,369,996,546");
        assert_eq!(super::grouped(100_u64), "100");
        assert_eq!(super::grouped(0_u64), "0");
    }
}
