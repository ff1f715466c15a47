//! What rules about services say of addresses, in the words of a report.

use super::Classification;
use crate::chain::View;
use crate::service::deposit::{self, Deposit, Deposits};
use crate::tag::{Confidence, Tag};

/// How many transactions are named.
const NAMED_MAX: usize = 3;

impl Classification {
    /// Says in words what [`deposit::find`] says of an address, what that rests on and what would defeat it.
    ///
    /// # Complexity
    ///
    /// As [`Deposits::evidence`].
    ///
    /// # Panics
    ///
    /// When the deposits are of another chain.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{report::Classification, service::deposit::{self, Terms}, tag::Tags};
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let found = deposit::find(chain.view(), &Tags::default(), None, &Terms::default());
    /// let said: Vec<_> = found.iter().map(|deposit| Classification::of_deposit(chain.view(), &found, deposit)).collect();
    /// assert!(said.is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn of_deposit(view: View<'_>, deposits: &Deposits, deposit: &Deposit) -> Self {
        let service = deposits.service(deposit);
        let (sweeps, siblings) = deposits.evidence(view, deposit);
        let named: Vec<String> = sweeps.iter().take(NAMED_MAX).map(|tx| view.tx(*tx).txid().to_string()).collect();
        let more = sweeps.len().saturating_sub(NAMED_MAX);
        let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
        // The source that speaks of the very address that was paid, if there is one.
        let (place, ground) = deposits.ground(view, deposit);
        let own = place.and_then(|address| deposits.own_tag(address));
        let place = place.map(|address| view.address(address).to_string());
        let percent = u8::try_from(deposit.confidence.to_ppm() / 10_000).unwrap_or(100);
        let mut said = Self::new("probable deposit address", &service.label, deposit::RULE)
            .category(&ground.category)
            .confidence(percent)
            .tag_confidence(ground.confidence.map(Confidence::percent))
            .source(source(ground))
            .from(place.unwrap_or_default())
            .because(format!(
                "what it received went on to {} in {} {}: {}{and_more}",
                service.label,
                sweeps.len(),
                if sweeps.len() == 1 { "transaction" } else { "transactions" },
                named.join(", ")
            ));
        for reason in reasons(deposit, siblings.len(), &service.label) {
            said = said.because(reason);
        }
        if own.is_none() {
            said = said.because(format!(
                "no address that it was swept to is tagged itself: the tag is on another that is held to be {}'s",
                service.label
            ));
        }
        if !siblings.is_empty() {
            said = said.defeated_by("all addresses swept together may be one wallet's, which is not the service's");
        }
        if deposit.dealt > 0 {
            said = said.defeated_by(format!("a payer who fills several addresses of {} at once", service.label));
        }
        if deposits.is_undated(view, deposit) {
            said = said.defeated_by(format!(
                "the tag on {} holds {}; when it was swept is not known",
                service.label,
                days(ground)
            ));
        }
        said.defeated_by(format!("{}'s own record that the address is none of its deposit addresses", service.label))
            .defeated_by("an owner who shows that it is a wallet of their own which pays everything on to the service")
            .defeated_by(format!("the tag on {} being wrong", service.label))
    }
}

/// What speaks for it, beside that its coins went to the service.
fn reasons(deposit: &Deposit, siblings: usize, service: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if siblings > 0 {
        let elsewhere = match deposit.outside {
            0 => format!("no other deposit address of {service} is swept elsewhere"),
            outside => format!("{outside} others of {service} are swept elsewhere"),
        };
        reasons.push(format!("{siblings} other addresses were swept together with it; {elsewhere}"));
    }
    if deposit.alike > 0 {
        reasons.push(format!("it is swept alone, as {} others of {service} are", deposit.alike));
    }
    if deposit.dealt > 0 {
        reasons.push(format!(
            "{} of these transactions fill several addresses of {service} and nobody else's, which an outside payer seldom does",
            deposit.dealt
        ));
    }
    if deposit.cosigned {
        reasons.push(format!(
            "it is swept together with a coin of {service}'s own, so one owner appears to have both keys"
        ));
    }
    if let Some(blocks) = deposit.delay {
        reasons.push(format!("the median wait from receipt to sweep is {blocks} blocks"));
    }
    if deposit.learned {
        reasons.push("the addresses it was swept to are not tagged but were learned from other depositors".to_owned());
    }
    reasons
}

/// On which days a tag holds.
fn days(tag: &Tag) -> String {
    match (tag.since, tag.until) {
        (Some(since), Some(until)) => format!("from {since} to {until} only"),
        (Some(since), None) => format!("from {since} on only"),
        (None, Some(until)) => format!("until {until} only"),
        (None, None) => "on some days only".to_owned(),
    }
}

/// Who says whose the service's address is, and when.
fn source(tag: &Tag) -> String {
    match tag.lastmod {
        Some(day) => format!("{}, changed {day}", tag.source),
        None => tag.source.clone(),
    }
}
