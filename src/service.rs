//! What needs several transactions, owners or tags: deposit addresses, hot wallets, custodial mixers, peel chains, pools, payment processors.
//!
//! Every answer is an inference: it carries its rule with the version, the transactions it rests on and a confidence, which is a grade
//! that the rule's author gave and no measured probability.

pub mod chips;
pub mod custodial_mixer;
pub mod deposit;
pub mod hot_wallet;
pub mod peel;
pub mod pool;
pub mod processor;

use crate::chain::View;
use crate::detect::{Feature, Finding};
use crate::id::TxIndex;
use crate::tag::Tag;

/// So many transactions are named in a finding about an address; how many there are is always told.
const RESTS_ON_MAX: usize = 100;

/// Adds the transactions that a finding about an address rests on.
fn rests_on(finding: Finding, view: View<'_>, txs: &[TxIndex]) -> Finding {
    let first = txs.iter().take(RESTS_ON_MAX).map(|tx| view.tx(*tx).txid()).collect();
    finding.feature("rests_on_count", txs.len()).feature("rests_on", Feature::Txs(first))
}

/// Adds whose an address is said to be, and who says so of the addresses that this begins with.
fn of_service(finding: Finding, service: &Tag) -> Finding {
    let finding = finding
        .feature("service", service.label.as_str())
        .feature("category", service.category.as_str())
        .feature("tag_source", service.source.as_str());
    let finding = match service.confidence {
        Some(confidence) => finding.feature("tag_confidence", u32::from(confidence.percent())),
        None => finding,
    };
    match service.lastmod {
        Some(day) => finding.feature("tag_date", day.to_string().as_str()),
        None => finding,
    }
}
