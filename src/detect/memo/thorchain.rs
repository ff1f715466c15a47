//! THORChain's memos: `=:ETH.ETH:0x...:limit/interval/quantity:affiliate:basis points`.
//!
//! 1. The texts of the `OP_RETURN` outputs, one after the other, are the memo, cut at `|` and split at `:`. Field 0 is the action, in any
//!    case. The first valued output pays a vault, change goes back to the sender of the first input.
//! 2. A swap names the asset, the destination and where to refund, the least to get (1e-8 units whatever the asset) with interval and
//!    number of a streaming swap, affiliates and their basis points.
//! 3. A vault's own payment says `OUT:` or `REFUND:` and the hash of the inbound. [`join`] looks it up.
//! 4. Actions that are not in the table are unknown, and no error: the grammar grows.
//! 5. What a swap names as its destination must have the form of an address of the asset's chain, or be a THORName, a short name that the
//!    protocol looks up; fees are 10,000 basis points at most; there are no control bytes. Otherwise the rule leaves it undecided: the
//!    protocol would refuse it, and still somebody paid with a memo.
//!
//! Source: THORChain's public documents on memos.

mod action;
mod asset;
mod destination;
mod join;
mod parse;

pub use action::Action;
pub use asset::{Asset, Holding};
pub use join::{JOIN_RULE, join};
pub use parse::Memo;

use bitcoin::Network;

use super::payload;
use crate::chain::{Output, Tx};
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict, shape};
use destination::Form;

/// The rule's name and version.
pub const RULE: &str = "thorchain/2";

/// The protocol ignores a transaction with more outputs, or with more that are worth something.
const OUTPUTS_MAX: usize = 12;
const VALUED_OUTPUTS_MAX: usize = 10;
/// All of it.
const BASIS_POINTS_MAX: u128 = 10_000;
/// What is graded lower than this is undecided.
const YES_MIN: u32 = 50;
/// The most for a memo that the protocol would refuse.
const REFUSED: u32 = 20;

/// The text of all data outputs of a transaction; `None` when they are no text.
fn text_of(tx: Tx<'_>) -> Option<String> {
    let mut bytes = Vec::new();
    for output in tx.outputs().filter(|output| shape::is_data(*output)) {
        bytes.extend(payload(output.script()?)?);
    }
    // Cheaper than the table for the data of all other protocols.
    String::from_utf8(bytes).ok().filter(|text| text.is_ascii() && !text.is_empty())
}

/// The memo of a transaction.
fn memo_of(tx: Tx<'_>) -> Option<Memo> {
    Memo::parse(&text_of(tx)?)
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
/// Anybody who writes such a text and pays somebody else than a vault. A word in the destination's place may be a name that nobody has
/// registered, so it counts for less than an address.
///
/// ```
/// use fundtrace::detect::memo::thorchain::Memo;
/// // A joke in an OP_RETURN; and it parses, because the name of a chain is not looked up.
/// assert!(Memo::parse("swap:MOON.CHEESE:my_wallet").is_some());
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    let text = text_of(tx)?;
    let memo = Memo::parse(&text)?;
    let valued = tx.outputs().filter(|output| shape::sat(*output) > 0).count();
    // The protocol would not look at it.
    let ignored = tx.outputs().len() > OUTPUTS_MAX || valued > VALUED_OUTPUTS_MAX;
    let (confidence, payee) = grade(&memo, tx.view().network());
    let hides = text.trim_end().bytes().any(|byte| byte.is_ascii_control());
    let greedy = memo.basis_points.iter().any(|points| *points > BASIS_POINTS_MAX);
    let confidence = match (ignored, hides || greedy || memo.garbled) {
        (true, _) => confidence.min(10),
        (_, true) => confidence.min(REFUSED),
        _ => confidence,
    };
    let verdict = if confidence < YES_MIN { Verdict::Undecided } else { Verdict::Yes };
    let mut finding = Finding::new(Kind::Swap, "thorchain", RULE, Confidence::from_percent(confidence))
        .verdict(verdict)
        .feature("action", memo.action_name())
        .feature("claimed", true)
        .feature("ignored_by_protocol", ignored);
    if let Some((kind, valid)) = payee {
        finding = finding.feature("destination_kind", kind).feature("destination_valid", valid);
    }
    for (name, fault) in [("control_bytes", hides), ("affiliates_bp_valid", !greedy), ("numbers_valid", !memo.garbled)]
    {
        // Named where something is wrong, and no noise elsewhere.
        if fault == (name == "control_bytes") {
            finding = finding.feature(name, fault);
        }
    }
    if let Some(paid) = vault_output(tx).filter(|_| memo.inbound.is_none()) {
        finding = finding.sat("paid_sat", shape::sat(paid)).feature("paid_vout", paid.vout());
    }
    finding.features.extend(features(memo));
    Some(finding)
}

/// How sure a memo's form makes of it, in per cent, and of a swap what its destination is and whether the protocol could pay it.
fn grade(memo: &Memo, network: Network) -> (u32, Option<(&'static str, bool)>) {
    let named = memo.destination.as_deref();
    match (memo.action, &memo.asset) {
        (Action::Swap | Action::Limit | Action::LoanOpen, Some(asset)) => match named {
            Some(text) => {
                let form = Form::of(asset, text, network);
                let confidence = match form {
                    Form::Address => 90,
                    Form::Plausible => 70,
                    Form::Name => YES_MIN,
                    Form::Wrong => REFUSED,
                };
                (confidence, Some((form.as_str(), form != Form::Wrong)))
            }
            // The sender has an address of this chain and no other.
            None if asset.chain == "BTC" && asset.holding == Holding::Native => (70, Some(("sender", true))),
            None => (REFUSED, Some(("sender", false))),
        },
        (Action::Out | Action::Refund, _) if memo.inbound.is_some() => (90, None),
        (Action::Leave | Action::Noop | Action::Reserve | Action::Reference | Action::Name | Action::Execute, _) => {
            (REFUSED, None)
        }
        // Without a pool there is nothing to add to or to take from.
        (
            Action::Add
            | Action::Withdraw
            | Action::Donate
            | Action::LoanRepay
            | Action::PoolDeposit
            | Action::PoolWithdraw,
            None,
        ) => (REFUSED, None),
        // Accounts and nodes are the protocol's own.
        (Action::TradeDeposit | Action::SecureDeposit | Action::Bond | Action::Unbond, _)
            if !named.is_some_and(destination::is_own) =>
        {
            (REFUSED, None)
        }
        _ => (50, None),
    }
}

fn features(memo: Memo) -> impl Iterator<Item = (&'static str, Feature)> {
    // No control byte of a stranger's gets into a finding.
    let text = |name, text: Option<String>| text.map(|text| (name, Feature::Text(plain(&text))));
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

/// The text with its control bytes written out.
fn plain(text: &str) -> String {
    let shown = |byte: char| if byte.is_ascii_control() { byte.escape_default().to_string() } else { byte.to_string() };
    text.chars().map(shown).collect()
}

/// The first output that is worth something pays the vault.
fn vault_output(tx: Tx<'_>) -> Option<Output<'_>> {
    tx.outputs().find(|output| shape::sat(*output) > 0)
}
