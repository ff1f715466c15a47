//! Chainflip's vault swaps: bytes in an `OP_RETURN` output between the deposit and the change.
//!
//! 1. Exactly three outputs: the deposit to the broker's vault, the data, the change, whose address is the refund's too.
//! 2. The data, SCALE-encoded, little-endian: version (0 or 1), asset of the destination, destination address (20 bytes for Ethereum and
//!    Arbitrum assets, 32 for Polkadot's and Solana's, a script type and its payload for Bitcoin), retry duration in blocks (u16), minimum
//!    output (u128), in version 1 oracle slippage (u8), chunks (u16), chunk interval (u16), boost fee (u8), broker fee (u8), and a list of
//!    affiliates, (u8 index, u8 fee) each.
//! 3. Nothing may be left over: bytes that only begin like a swap are none.
//!
//! Source: Chainflip's public documents on vault swaps. Deposit channels leave no memo and are not found.

use bitcoin::hex::DisplayHex;

use super::payload;
use crate::chain::Tx;
use crate::detect::{Confidence, Feature, Finding, Kind, shape};
use crate::id;

/// The rule's name and version.
pub const RULE: &str = "chainflip/1";

const OUTPUTS: usize = 3;
/// The encoding has two bits for the length of a short list, so a list of 64 or more would be another form; no swap has one.
const AFFILIATES_MAX: u8 = 63;

/// What an asset is worth on, and how its chain writes addresses.
struct AssetRow {
    code: u8,
    chain: &'static str,
    symbol: &'static str,
    address: AddressForm,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AddressForm {
    Bytes(usize),
    Bitcoin,
}

const fn row(code: u8, chain: &'static str, symbol: &'static str, address: AddressForm) -> AssetRow {
    AssetRow { code, chain, symbol, address }
}

/// The protocol's numbers of its assets.
const ASSETS: [AssetRow; 12] = [
    row(1, "Ethereum", "ETH", AddressForm::Bytes(20)),
    row(2, "Ethereum", "FLIP", AddressForm::Bytes(20)),
    row(3, "Ethereum", "USDC", AddressForm::Bytes(20)),
    row(4, "Polkadot", "DOT", AddressForm::Bytes(32)),
    row(5, "Bitcoin", "BTC", AddressForm::Bitcoin),
    row(6, "Arbitrum", "ETH", AddressForm::Bytes(20)),
    row(7, "Arbitrum", "USDC", AddressForm::Bytes(20)),
    row(8, "Ethereum", "USDT", AddressForm::Bytes(20)),
    row(9, "Solana", "SOL", AddressForm::Bytes(32)),
    row(10, "Solana", "USDC", AddressForm::Bytes(32)),
    row(11, "Assethub", "DOT", AddressForm::Bytes(32)),
    row(12, "Assethub", "USDT", AddressForm::Bytes(32)),
];

/// The lengths of a Bitcoin destination's payload, by its script type: P2PKH, P2SH, P2WPKH, P2WSH, Taproot.
const BITCOIN_BYTES: [usize; 5] = [20, 20, 20, 32, 32];

/// A vault swap, read.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::memo::chainflip::Swap;
/// let mut bytes = vec![0, 3];
/// bytes.extend([0xab; 20]);
/// bytes.extend(100_u16.to_le_bytes());
/// bytes.extend(5_000_000_u128.to_le_bytes());
/// bytes.extend([1, 0, 2, 0, 5, 30, 4, 9, 25]);
/// let swap = Swap::parse(&bytes).unwrap();
/// assert_eq!((swap.chain, swap.symbol), ("Ethereum", "USDC"));
/// assert_eq!(swap.destination, [0xab; 20]);
/// assert_eq!((swap.minimum, swap.chunks, swap.chunk_interval), (5_000_000, 1, 2));
/// assert_eq!((swap.boost_fee, swap.broker_fee, swap.affiliates), (5, 30, vec![(9, 25)]));
/// // A byte too many, a byte too few.
/// assert!(Swap::parse(&[&bytes[..], &[0]].concat()).is_none());
/// assert!(Swap::parse(&bytes[..bytes.len() - 1]).is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Swap {
    /// The version of the encoding.
    pub version: u8,
    /// The chain of the destination.
    pub chain: &'static str,
    /// The asset to get.
    pub symbol: &'static str,
    /// The script type of a Bitcoin destination, by the protocol's number.
    pub script_type: Option<u8>,
    /// The destination's address, as bytes.
    pub destination: Vec<u8>,
    /// Blocks during which a refused swap is tried again.
    pub retry_blocks: u16,
    /// The least to get, in the asset's smallest unit.
    pub minimum: u128,
    /// How far the price may be from the oracle's, of version 1.
    pub oracle_slippage: Option<u8>,
    /// Parts of the swap.
    pub chunks: u16,
    /// Blocks between the parts.
    pub chunk_interval: u16,
    /// The most to pay for a faster deposit, in hundredths of a per cent.
    pub boost_fee: u8,
    /// The broker's fee, in hundredths of a per cent.
    pub broker_fee: u8,
    /// Who else takes a fee: the broker's number of it, and how much.
    pub affiliates: Vec<(u8, u8)>,
}

impl Swap {
    /// Reads a swap from the bytes of the data output; `None` when they are none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let version = rest.byte().filter(|version| *version <= 1)?;
        let code = rest.byte()?;
        let asset = ASSETS.iter().find(|asset| asset.code == code)?;
        let script_type = if asset.address == AddressForm::Bitcoin { Some(rest.byte()?) } else { None };
        let length = match (asset.address, script_type) {
            (AddressForm::Bytes(length), _) => length,
            (AddressForm::Bitcoin, script_type) => *BITCOIN_BYTES.get(id::at(script_type?))?,
        };
        let destination = rest.take(length)?.to_vec();
        let retry_blocks = rest.u16()?;
        let minimum = u128::from_le_bytes(rest.take(16)?.try_into().ok()?);
        let oracle_slippage = if version == 1 { Some(rest.byte()?) } else { None };
        let (chunks, chunk_interval) = (rest.u16()?, rest.u16()?);
        let (boost_fee, broker_fee) = (rest.byte()?, rest.byte()?);
        // SCALE: the two lowest bits are 0 for a length below 64, which is in the others.
        let length = rest.byte().filter(|length| length & 3 == 0)? >> 2;
        if length > AFFILIATES_MAX || rest.0.len() != 2 * id::at(length) {
            return None;
        }
        let affiliates = rest.0.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        Some(Self {
            version,
            chain: asset.chain,
            symbol: asset.symbol,
            script_type,
            destination,
            retry_blocks,
            minimum,
            oracle_slippage,
            chunks,
            chunk_interval,
            boost_fee,
            broker_fee,
            affiliates,
        })
    }
}

/// Bytes that are not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }
}

/// Says what Chainflip's data in a transaction say.
///
/// # Complexity
///
/// Linear in the bytes of the data output.
///
/// # Examples
///
/// See [`Swap`], and `tests/it/memos.rs` for whole transactions.
///
/// # Fooled by
///
/// Data of the right length that begin with two small numbers. No mark says that they are Chainflip's.
///
/// ```
/// use fundtrace::detect::memo::chainflip::Swap;
/// // A version, an asset, and otherwise nothing at all.
/// let mut nothing = vec![0; 47];
/// nothing[1] = 1;
/// assert!(Swap::parse(&nothing).is_some());
/// ```
pub fn find(tx: Tx<'_>) -> Option<Finding> {
    if tx.outputs().len() != OUTPUTS || tx.is_coinbase() {
        return None;
    }
    let [vault, data, change] = [tx.output(0)?, tx.output(1)?, tx.output(2)?];
    if shape::is_data(vault) || !shape::is_data(data) || shape::is_data(change) {
        return None;
    }
    let swap = Swap::parse(&payload(data.script()?)?)?;
    // A retry of no blocks, a swap of no parts: the protocol would refuse it.
    let is_sound = swap.chunks > 0 && swap.destination.iter().any(|byte| *byte != 0);
    let mut finding =
        Finding::new(Kind::Swap, "chainflip", RULE, Confidence::from_percent(if is_sound { 85 } else { 20 }))
            .feature("action", "swap")
            .feature("claimed", true)
            .feature("version", u32::from(swap.version))
            .feature("asset", Feature::Text(format!("{}.{}", swap.chain, swap.symbol)))
            .feature("destination_chain", swap.chain)
            .feature("destination", Feature::Text(swap.destination.to_lower_hex_string()))
            .feature("minimum", Feature::Large(swap.minimum))
            .feature("retry_blocks", u32::from(swap.retry_blocks))
            .feature("chunks", u32::from(swap.chunks))
            .feature("chunk_interval", u32::from(swap.chunk_interval))
            .feature("boost_fee_bp", u32::from(swap.boost_fee))
            .feature("broker_fee_bp", u32::from(swap.broker_fee))
            .feature("affiliates", swap.affiliates.len())
            .feature("paid_vout", vault.vout())
            .sat("paid_sat", shape::sat(vault));
    if let Some(refund) = change.address() {
        finding = finding.feature("refund", Feature::Text(refund.to_string()));
    }
    if let Some(script_type) = swap.script_type {
        finding = finding.feature("destination_script_type", u32::from(script_type));
    }
    Some(finding)
}
