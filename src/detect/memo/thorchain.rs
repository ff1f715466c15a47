//! THORChain's memos: `=:ETH.ETH:0x...:limit/interval/quantity:affiliate:basis points`.
//!
//! 1. The texts of the `OP_RETURN` outputs, one after the other, are the memo, cut at `|` and split at `:`. Field 0 is the action, in any
//!    case. The first valued output pays a vault, change goes back to the sender of the first input.
//! 2. A swap names the asset, the destination and where to refund, the least to get (1e-8 units whatever the asset) with interval and
//!    number of a streaming swap, affiliates and their basis points.
//! 3. A vault's own payment says `OUT:` or `REFUND:` and the hash of the inbound. [`join`] looks it up.
//! 4. Actions that are not in the table are unknown, and no error: the grammar grows.
//!
//! Source: THORChain's public documents on memos.

mod action;
mod asset;
mod join;
mod parse;

pub use action::Action;
pub use asset::{Asset, Holding};
pub use join::{JOIN_RULE, join};
pub use parse::Memo;

use super::payload;
use crate::chain::{Output, Tx};
use crate::detect::{Confidence, Feature, Finding, Kind, shape};

/// The rule's name and version.
pub const RULE: &str = "thorchain/1";

/// The protocol ignores a transaction with more outputs, or with more that are worth something.
const OUTPUTS_MAX: usize = 12;
const VALUED_OUTPUTS_MAX: usize = 10;

/// The memo of a transaction: the texts of all its data outputs; `None` when they are no text.
fn memo_of(tx: Tx<'_>) -> Option<Memo> {
    let mut bytes = Vec::new();
    for output in tx.outputs().filter(|output| shape::is_data(*output)) {
        bytes.extend(payload(output.script()?)?);
    }
    // Cheaper than the table for the data of all other protocols.
    let text = str::from_utf8(&bytes).ok().filter(|text| text.is_ascii() && !text.is_empty())?;
    Memo::parse(text)
}

/// Says what THORChain's memo of a transaction says.
///
/// # Complexity
///
/// Linear in the bytes of the data outputs.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::detect::memo::thorchain;
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let memo = b"=:ETH.ETH:0xd58610f89265a2fb637ac40edf59141ff873b266:0/1/0:te:0";
/// let data = ScriptBuf::from_bytes([&[0x6a, memo.len() as u8][..], memo].concat());
/// let outputs = vec![
///     TxOut { value: Amount::from_sat(1_000_000), script_pubkey: ScriptBuf::from_hex("51")? },
///     TxOut { value: Amount::ZERO, script_pubkey: data },
/// ];
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(2), vec![NewInput::new(OutPoint::new(txid(1), 0))], outputs))?;
/// let chain = builder.finish()?;
/// let finding = chain.view().txs().find_map(thorchain::find).unwrap();
/// assert_eq!(finding.protocol, "thorchain");
/// assert_eq!(serde_json::to_value(&finding.features["asset"]).unwrap(), "ETH.ETH");
/// assert_eq!(serde_json::to_value(&finding.features["paid_sat"]).unwrap(), 1_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fooled by
///
/// Anybody who writes such a text and pays somebody else than a vault.
///
/// ```
/// use fundtrace::detect::memo::thorchain::Memo;
/// // A joke in an OP_RETURN; and it parses, because the name of a chain is not looked up.
/// assert!(Memo::parse("swap:MOON.CHEESE:my_wallet").is_some());
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let memo = memo_of(tx)?;
    let valued = tx.outputs().filter(|output| shape::sat(*output) > 0).count();
    // The protocol would not look at it.
    let ignored = tx.outputs().len() > OUTPUTS_MAX || valued > VALUED_OUTPUTS_MAX;
    let confidence = match memo.action {
        _ if ignored => 10,
        Action::Swap | Action::Limit | Action::Out | Action::Refund
            if memo.destination.is_some() || memo.inbound.is_some() =>
        {
            90
        }
        Action::Swap | Action::Limit | Action::LoanOpen => 70,
        Action::Leave | Action::Noop | Action::Reserve | Action::Reference | Action::Name | Action::Execute => 20,
        _ => 50,
    };
    let mut finding = Finding::new(Kind::Swap, "thorchain", RULE, Confidence::from_percent(confidence))
        .feature("action", memo.action_name())
        .feature("claimed", true)
        .feature("ignored_by_protocol", ignored);
    if let Some(paid) = vault_output(tx).filter(|_| memo.inbound.is_none()) {
        finding = finding.sat("paid_sat", shape::sat(paid)).feature("paid_vout", paid.vout());
    }
    finding.features.extend(features(memo));
    Some(finding)
}

fn features(memo: Memo) -> impl Iterator<Item = (&'static str, Feature)> {
    let text = |name, text: Option<String>| text.map(|text| (name, Feature::Text(text)));
    let large = |name, number: Option<u128>| number.map(|number| (name, Feature::Large(number)));
    let list = |list: Vec<String>| (!list.is_empty()).then(|| list.join("/"));
    let basis_points = memo.basis_points.iter().map(u128::to_string).collect();
    [
        text("asset", memo.asset.as_ref().map(Asset::to_string)),
        text("destination_chain", memo.asset.map(|asset| asset.chain)),
        text("destination", memo.destination),
        text("refund", memo.refund),
        large("limit_1e8", memo.limit),
        large("interval_blocks", memo.interval),
        large("quantity", memo.quantity),
        text("affiliates", list(memo.affiliates)),
        text("affiliates_bp", list(basis_points)),
        text("aggregator", memo.aggregator),
        text("final_token", memo.final_token),
        large("final_least", memo.final_least),
        text("inbound", memo.inbound),
    ]
    .into_iter()
    .flatten()
}

/// The first output that is worth something pays the vault.
fn vault_output(tx: Tx<'_>) -> Option<Output<'_>> {
    tx.outputs().find(|output| shape::sat(*output) > 0)
}
