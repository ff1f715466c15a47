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

use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::{Address, Txid};

use super::payload;
use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict, shape};

/// The rule's name and version.
pub const RULE: &str = "thorchain/1";
/// The name and version of the rule that joins outbounds to inbounds.
pub const JOIN_RULE: &str = "thorchain_join/1";

/// The protocol ignores a transaction with more outputs, or with more that are worth something.
const OUTPUTS_MAX: usize = 12;
const VALUED_OUTPUTS_MAX: usize = 10;

/// What a memo asks for, or tells.
///
/// # Examples
///
/// See [`Memo`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the protocol's own words")]
pub enum Action {
    Swap,
    Limit,
    Modify,
    Add,
    Withdraw,
    Out,
    Refund,
    Migrate,
    Consolidate,
    Donate,
    Bond,
    Unbond,
    Leave,
    Reserve,
    Noop,
    Name,
    LoanOpen,
    LoanRepay,
    TradeDeposit,
    TradeWithdraw,
    SecureDeposit,
    SecureWithdraw,
    PoolDeposit,
    PoolWithdraw,
    Execute,
    Switch,
    Ragnarok,
    Reference,
}

/// Every way to write an action, and its name in a finding.
const ACTIONS: [(&str, Action, &str); 49] = [
    ("swap", Action::Swap, "swap"),
    ("s", Action::Swap, "swap"),
    ("=", Action::Swap, "swap"),
    ("limito", Action::Limit, "limit"),
    ("lo", Action::Limit, "limit"),
    ("=<", Action::Limit, "limit"),
    ("m=<", Action::Modify, "modify"),
    ("add", Action::Add, "add"),
    ("+", Action::Add, "add"),
    ("withdraw", Action::Withdraw, "withdraw"),
    ("wd", Action::Withdraw, "withdraw"),
    ("-", Action::Withdraw, "withdraw"),
    ("out", Action::Out, "out"),
    ("refund", Action::Refund, "refund"),
    ("migrate", Action::Migrate, "migrate"),
    ("consolidate", Action::Consolidate, "consolidate"),
    ("donate", Action::Donate, "donate"),
    ("d", Action::Donate, "donate"),
    ("bond", Action::Bond, "bond"),
    ("unbond", Action::Unbond, "unbond"),
    ("leave", Action::Leave, "leave"),
    ("reserve", Action::Reserve, "reserve"),
    ("noop", Action::Noop, "noop"),
    ("name", Action::Name, "name"),
    ("n", Action::Name, "name"),
    ("~", Action::Name, "name"),
    ("loan+", Action::LoanOpen, "loan_open"),
    ("$+", Action::LoanOpen, "loan_open"),
    ("loan-", Action::LoanRepay, "loan_repay"),
    ("$-", Action::LoanRepay, "loan_repay"),
    ("trade+", Action::TradeDeposit, "trade_deposit"),
    ("trade-", Action::TradeWithdraw, "trade_withdraw"),
    ("secure+", Action::SecureDeposit, "secure_deposit"),
    ("secure-", Action::SecureWithdraw, "secure_withdraw"),
    ("pool+", Action::PoolDeposit, "pool_deposit"),
    ("pool-", Action::PoolWithdraw, "pool_withdraw"),
    ("x", Action::Execute, "execute"),
    ("exec", Action::Execute, "execute"),
    ("switch", Action::Switch, "switch"),
    ("ragnarok", Action::Ragnarok, "ragnarok"),
    ("reference", Action::Reference, "reference"),
    ("r", Action::Reference, "reference"),
    // Forms that older clients wrote with a space or a slash, and the long names of the short ones.
    ("limit", Action::Limit, "limit"),
    ("a", Action::Add, "add"),
    ("w", Action::Withdraw, "withdraw"),
    ("yggdrasil+", Action::Migrate, "migrate"),
    ("yggdrasil-", Action::Migrate, "migrate"),
    ("tradeaccount+", Action::TradeDeposit, "trade_deposit"),
    ("tradeaccount-", Action::TradeWithdraw, "trade_withdraw"),
];

/// How an asset is held: which separator stands between its chain and its symbol.
///
/// # Examples
///
/// See [`Memo`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Holding {
    /// On its own chain: `.`.
    Native,
    /// Inside the protocol, synthetic: `/`.
    Synthetic,
    /// Inside the protocol, in a trade account: `~`.
    Trade,
    /// Inside the protocol, secured: `-`.
    Secured,
}

/// An asset: a chain, a symbol, and perhaps a contract.
///
/// # Examples
///
/// See [`Memo`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Asset {
    /// The chain, in capitals.
    pub chain: String,
    /// The symbol, in capitals.
    pub symbol: String,
    /// What follows the symbol: a contract, or its last characters.
    pub contract: Option<String>,
    /// Where it is.
    pub holding: Holding,
}

const SHORT_ASSETS: [(&str, &str, &str); 13] = [
    ("a", "AVAX", "AVAX"),
    ("b", "BTC", "BTC"),
    ("c", "BCH", "BCH"),
    ("d", "DOGE", "DOGE"),
    ("e", "ETH", "ETH"),
    ("f", "BASE", "ETH"),
    ("g", "GAIA", "ATOM"),
    ("l", "LTC", "LTC"),
    ("n", "BNB", "BNB"),
    ("r", "THOR", "RUNE"),
    ("s", "BSC", "BNB"),
    ("x", "XRP", "XRP"),
    ("tr", "TRON", "TRX"),
];

impl Asset {
    /// Reads an asset, short or long; `None` when it is neither.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::memo::thorchain::{Asset, Holding};
    /// let asset = Asset::parse("eth.usdc-6EB48").unwrap();
    /// assert_eq!((asset.chain.as_str(), asset.symbol.as_str()), ("ETH", "USDC"));
    /// assert_eq!(asset.contract.as_deref(), Some("6EB48"));
    /// assert_eq!(Asset::parse("BTC/BTC").unwrap().holding, Holding::Synthetic);
    /// assert_eq!(Asset::parse("s").unwrap().to_string(), "BSC.BNB");
    /// assert!(Asset::parse("hello world").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if let Some((_, chain, symbol)) = SHORT_ASSETS.iter().find(|(short, ..)| *short == lower) {
            let holding = Holding::Native;
            return Some(Self { chain: (*chain).to_owned(), symbol: (*symbol).to_owned(), contract: None, holding });
        }
        let at = text.find(['.', '/', '~', '-'])?;
        let holding = match text.as_bytes()[at] {
            b'.' => Holding::Native,
            b'/' => Holding::Synthetic,
            b'~' => Holding::Trade,
            _ => Holding::Secured,
        };
        let (chain, rest) = (&text[..at], &text[at + 1..]);
        let (symbol, contract) = rest.split_once('-').map_or((rest, None), |(symbol, rest)| (symbol, Some(rest)));
        let word = |text: &str| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let named = |text: &str| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic());
        let fits =
            word(chain) && named(symbol) && contract.is_none_or(|contract| contract.is_empty() || named(contract));
        fits.then(|| Self {
            chain: chain.to_ascii_uppercase(),
            symbol: symbol.to_ascii_uppercase(),
            contract: contract.map(str::to_owned),
            holding,
        })
    }
}

impl std::fmt::Display for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = match self.holding {
            Holding::Native => '.',
            Holding::Synthetic => '/',
            Holding::Trade => '~',
            Holding::Secured => '-',
        };
        write!(f, "{}{separator}{}", self.chain, self.symbol)?;
        self.contract.as_ref().map_or(Ok(()), |contract| write!(f, "-{contract}"))
    }
}

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
