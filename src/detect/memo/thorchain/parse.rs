//! A memo's text, field by field.

use bitcoin::hex::FromHex;

use super::action::ACTIONS;
use super::{Action, Asset};

/// A memo, read.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::memo::thorchain::{Action, Memo};
/// let memo = Memo::parse("=:e:0xabc/bc1qxyz:161e6/1/0:te/ll:10/20").unwrap();
/// assert_eq!(memo.action, Action::Swap);
/// assert_eq!(memo.asset.as_ref().unwrap().to_string(), "ETH.ETH");
/// assert_eq!(memo.destination.as_deref(), Some("0xabc"));
/// assert_eq!(memo.refund.as_deref(), Some("bc1qxyz"));
/// assert_eq!((memo.limit, memo.interval, memo.quantity), (Some(161_000_000), Some(1), Some(0)));
/// assert_eq!(memo.affiliates, ["te", "ll"]);
/// assert_eq!(memo.basis_points, [10, 20]);
/// assert!(Memo::parse("gm").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Memo {
    /// What it asks for.
    pub action: Action,
    /// The asset to get, of a swap and its like; the pool otherwise.
    pub asset: Option<Asset>,
    /// Who gets it, an address of the asset's chain or a name of the protocol's own; `None` where the sender does.
    pub destination: Option<String>,
    /// Who gets it back if the swap fails, where somebody else than the sender.
    pub refund: Option<String>,
    /// The least to get, in 1e-8 units.
    pub limit: Option<u128>,
    /// Blocks between the parts of a streaming swap.
    pub interval: Option<u128>,
    /// Parts of a streaming swap; 0 leaves it to the protocol.
    pub quantity: Option<u128>,
    /// Who takes a fee.
    pub affiliates: Vec<String>,
    /// How much, in hundredths of a per cent, one for all or one each.
    pub basis_points: Vec<u128>,
    /// The end of an aggregator's address, the token it makes in the end, and the least of it.
    pub aggregator: Option<String>,
    /// See [`aggregator`](Self::aggregator).
    pub final_token: Option<String>,
    /// See [`aggregator`](Self::aggregator).
    pub final_least: Option<u128>,
    /// The inbound's hash, of `OUT` and `REFUND`: 64 hex digits.
    pub inbound: Option<String>,
    /// Whether a limit or a number of basis points is no number, or one that outgrows 128 bits.
    pub garbled: bool,
}

impl Memo {
    /// Reads a memo; `None` when it is none: the action is unknown, or a swap has no asset, or an outbound no hash.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split('|').next()?;
        let mut fields = text.split(':');
        let word = fields.next()?.trim().to_ascii_lowercase();
        let (_, action, _) = *ACTIONS.iter().find(|(form, ..)| *form == word)?;
        let fields: Vec<&str> = fields.take(16).map(str::trim).collect();
        let field = |at: usize| fields.get(at).copied().filter(|field| !field.is_empty());
        let mut memo = Self {
            action,
            asset: None,
            destination: None,
            refund: None,
            limit: None,
            interval: None,
            quantity: None,
            affiliates: Vec::new(),
            basis_points: Vec::new(),
            aggregator: None,
            final_token: None,
            final_least: None,
            inbound: None,
            garbled: false,
        };
        match action {
            Action::Swap | Action::Limit | Action::LoanOpen => {
                memo.asset = Some(Asset::parse(field(0)?)?);
                memo.take_swap(&field);
            }
            Action::Out | Action::Refund => memo.inbound = Some(hash(field(0)?)?),
            Action::Add
            | Action::Withdraw
            | Action::Donate
            | Action::LoanRepay
            | Action::PoolDeposit
            | Action::PoolWithdraw => {
                memo.asset = field(0).and_then(Asset::parse);
                memo.destination = field(1).map(str::to_owned);
            }
            // Words that anybody writes mean nothing without what belongs to them.
            Action::Reference | Action::Execute | Action::Name => memo.destination = Some(field(0)?.to_owned()),
            _ => memo.destination = field(0).map(str::to_owned),
        }
        Some(memo)
    }

    fn take_swap<'a>(&mut self, field: &impl Fn(usize) -> Option<&'a str>) {
        let mut parties = field(1).unwrap_or_default().split('/');
        let mut party = || parties.next().filter(|party| !party.is_empty()).map(str::to_owned);
        (self.destination, self.refund) = (party(), party());
        let wrong = |at: usize| {
            let numbers = field(at).unwrap_or_default().split('/');
            numbers.filter(|text| !text.is_empty()).any(|text| integer(text).is_none())
        };
        self.garbled = wrong(2) || wrong(4);
        let mut limits = field(2).unwrap_or_default().split('/').map(integer);
        let mut limit = || limits.next().flatten();
        (self.limit, self.interval, self.quantity) = (limit(), limit(), limit());
        self.affiliates =
            field(3).unwrap_or_default().split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        self.basis_points = field(4).unwrap_or_default().split('/').filter_map(integer).collect();
        self.aggregator = field(5).map(str::to_owned);
        self.final_token = field(6).map(str::to_owned);
        self.final_least = field(7).and_then(integer);
    }

    /// Returns the action's name, in snake case.
    pub fn action_name(&self) -> &'static str {
        ACTIONS.iter().find(|(_, action, _)| *action == self.action).map_or("unknown", |(.., name)| name)
    }
}

/// 64 hex digits, perhaps after `0x`, in lower case.
fn hash(text: &str) -> Option<String> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    <[u8; 32]>::from_hex(text).ok()?;
    Some(text.to_ascii_lowercase())
}

/// A whole number, plain or scientific (`161e6`, `1.5e8`); `None` for anything else, and for what outgrows 128 bits.
fn integer(text: &str) -> Option<u128> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return digits(text) };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: u32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let zeros = exponent.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let whole = digits(whole)?.checked_mul(10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let fraction = if fraction.is_empty() { 0 } else { digits(fraction)? };
    whole.checked_add(fraction)?.checked_mul(10_u128.checked_pow(zeros)?)
}

fn digits(text: &str) -> Option<u128> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
