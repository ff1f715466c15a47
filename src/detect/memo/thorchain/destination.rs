//! Whether what stands where a swap is to pay has the form of an address of that chain.
//!
//! The protocol pays an address of the asset's chain, or a THORName, which it looks up itself. Assets that stay inside the protocol go to
//! its own addresses. Checksums are checked where the chain's form has one that needs no further hash function; Ethereum's mixed case is not.

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network, base58, bech32};

use super::{Asset, Holding};

/// A THORName has so many characters at most.
const NAME_MAX: usize = 30;
/// An address of a chain whose form we do not know (ours).
const OTHER: std::ops::RangeInclusive<usize> = 20..=128;
/// What begins so is meant to be an address, right or wrong, and is no name.
const PREFIXES: [&str; 10] = ["0x", "bc1", "tb1", "bcrt1", "ltc1", "cosmos1", "thor1", "bnb1", "bitcoincash", "maya1"];

/// What stands in the destination's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// An address whose form, and checksum if it has one, is right.
    Address,
    /// Text that may be an address of a chain whose form is not known here.
    Plausible,
    /// A name that the protocol looks up.
    Name,
    /// Neither.
    Wrong,
}

impl Form {
    /// The form of a text as the destination of an asset.
    pub(super) fn of(asset: &Asset, text: &str, network: Network) -> Self {
        let inside = asset.holding != Holding::Native;
        match is_address(if inside { "THOR" } else { &asset.chain }, text, network) {
            Some(true) => Self::Address,
            _ if is_name(text) => Self::Name,
            None if OTHER.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) => Self::Plausible,
            _ => Self::Wrong,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Plausible => "unchecked",
            Self::Name => "thorname",
            Self::Wrong => "unknown",
        }
    }
}

/// True of an address of the protocol's own chain.
pub(super) fn is_own(text: &str) -> bool {
    is_bech32(text, "thor")
}

/// Whether a text is an address of a chain; `None` where the chain's form is not known.
fn is_address(chain: &str, text: &str, network: Network) -> Option<bool> {
    Some(match chain {
        "BTC" => Address::<NetworkUnchecked>::from_str(text).is_ok_and(|address| address.is_valid_for_network(network)),
        "LTC" => is_base58(text, &[0x30, 0x32, 0x05]) || is_segwit(text, "ltc"),
        "DOGE" => is_base58(text, &[0x1e, 0x16]),
        "BCH" => is_base58(text, &[0x00, 0x05]) || is_cash(text),
        "ETH" | "BSC" | "AVAX" | "BASE" => is_hex20(text),
        "GAIA" => is_bech32(text, "cosmos"),
        "THOR" => is_bech32(text, "thor"),
        "BNB" => is_bech32(text, "bnb"),
        "TRON" => is_base58(text, &[0x41]),
        _ => return None,
    })
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_+.".contains(&byte);
    (1..=NAME_MAX).contains(&text.len())
        && text.bytes().all(fits)
        && !PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// A version byte and a hash of 20 bytes.
fn is_base58(text: &str, versions: &[u8]) -> bool {
    base58::decode_check(text).is_ok_and(|bytes| bytes.len() == 21 && versions.contains(&bytes[0]))
}

fn is_segwit(text: &str, hrp: &str) -> bool {
    bech32::segwit::decode(text).is_ok_and(|(found, ..)| found.to_lowercase() == hrp)
}

/// Accounts have 20 bytes, those of modules and contracts 32.
fn is_bech32(text: &str, hrp: &str) -> bool {
    let sums = bech32::primitives::decode::CheckedHrpstring::new::<bech32::Bech32>(text);
    sums.is_ok_and(|checked| checked.hrp().to_lowercase() == hrp && [20, 32].contains(&checked.byte_iter().count()))
}

fn is_hex20(text: &str) -> bool {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    digits.is_some_and(|digits| digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Bitcoin Cash's own form, with the prefix left out, for a colon would end the memo's field: 34 groups of five bits and 40 bits of checksum.
fn is_cash(text: &str) -> bool {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u64; 5] = [0x98_f2bc_8e61, 0x79_b76d_99e2, 0xf3_3e5f_b3c4, 0xae_2eab_e2a8, 0x1e_4f43_e470];
    let group = |byte: u8| (0_u64..).zip(LETTERS).find(|(_, letter)| **letter == byte).map(|(group, _)| group);
    let Some(groups) = text.bytes().map(group).collect::<Option<Vec<u64>>>() else { return false };
    let prefix = b"bitcoincash".iter().map(|byte| u64::from(byte & 31)).chain([0]);
    let sum = prefix.chain(groups.iter().copied()).fold(1_u64, |sum, group| {
        let high = sum >> 35;
        let next = ((sum & 0x07_ffff_ffff) << 5) ^ group;
        (0..5).zip(GENERATOR).filter(|(bit, _)| high >> bit & 1 == 1).fold(next, |next, (_, with)| next ^ with)
    });
    // Groups 0 and 1 hold the version byte: 0 pays a key, 8 a script.
    groups.len() == 42 && groups[0] <= 1 && sum == 1
}
