//! A vault's own payment and the inbound whose hash it writes.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Txid};

use super::{Action, memo_of};
use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict, shape};

/// The name and version of the rule that joins outbounds to inbounds.
pub const JOIN_RULE: &str = "thorchain_join/1";

/// Joins an outbound (`OUT:` or `REFUND:`) to its inbound, where that is a transaction of the view.
///
/// The payee is the first valued output that does not go back to the sender. Yes when the inbound's memo is a swap to this very payee (of a
/// refund: when the payee is the refund address, or the sender of the inbound's first input); the feature `claimed` stands until somebody
/// attests that both sides are vaults. No when the hash is right and a field disagrees: somebody writes what is not so. Undecided when the
/// inbound's memo names no address.
///
/// # Examples
///
/// See `tests/it/memos.rs`.
///
/// # Fooled by
///
/// Whoever pays the destination of somebody else's swap and writes `OUT:` with its hash. Only a vault's key could be told from that, and
/// which keys are vaults the chain does not say.
pub fn join(outbound: Tx<'_>, view: View<'_>) -> Option<Finding> {
    let memo = memo_of(outbound)?;
    let inbound: Txid = memo.inbound.as_ref()?.parse().ok()?;
    let inbound = view.tx_at(&inbound).filter(|tx| !tx.is_stub())?;
    let asked = memo_of(inbound);
    let senders: Vec<_> = outbound.inputs().filter_map(|input| input.address_index()).collect();
    let payee = outbound.outputs().find(|output| {
        shape::sat(*output) > 0 && output.address_index().is_none_or(|address| !senders.contains(&address))
    });
    let is_refund = memo.action == Action::Refund;
    let wanted =
        asked.as_ref().and_then(|asked| if is_refund { asked.refund.clone() } else { asked.destination.clone() });
    let agrees = match (&asked, payee) {
        (None, _) | (_, None) => Some(false),
        (Some(_), Some(payee)) => agrees(view, inbound, payee, wanted.as_deref(), is_refund),
    };
    let verdict = match agrees {
        Some(true) => Verdict::Yes,
        Some(false) => Verdict::No,
        None => Verdict::Undecided,
    };
    let finding = Finding::new(Kind::Swap, "thorchain", JOIN_RULE, Confidence::from_percent(80))
        .verdict(verdict)
        .feature("action", memo.action_name())
        .feature("claimed", true)
        .feature("inbound_has_memo", asked.is_some())
        .feature("rests_on", Feature::Txs(vec![inbound.txid()]));
    Some(match payee {
        Some(payee) => finding.sat("paid_sat", shape::sat(payee)).feature("paid_vout", payee.vout()),
        None => finding,
    })
}

/// Whether the payee is who was named; `None` where nobody can tell.
fn agrees(view: View<'_>, inbound: Tx<'_>, payee: Output<'_>, wanted: Option<&str>, is_refund: bool) -> Option<bool> {
    let sender = || inbound.inputs().next()?.address_index();
    match wanted {
        Some(wanted) => {
            let address: Address<NetworkUnchecked> = wanted.parse().ok()?;
            let address = address.require_network(view.network()).ok()?;
            Some(payee.script()? == address.script_pubkey().as_script())
        }
        None if is_refund => Some(payee.address_index()? == sender()?),
        None => Some(payee.address_index()? == sender()?),
    }
}
