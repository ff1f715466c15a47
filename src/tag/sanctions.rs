//! Lists of sanctioned addresses and nothing else: one a line, or a JSON array of strings.
//!
//! So the addresses of the OFAC list are passed on, a file for each coin, with the coin's name at the end of the file's (`XBT` is OFAC's word
//! for Bitcoin). A file named after another coin is of addresses elsewhere, some of which are valid here: Bitcoin Cash kept the form.

use super::pack::Pack;
use super::{Level, Tag};
use crate::error::{At, Error, TagError};
use crate::id;

/// No address of any coin is longer.
const ADDRESS_MAX: usize = 128;

/// The words for coins at the end of a list's name.
const COINS: [&str; 28] = [
    "ARB", "BCH", "BNB", "BSC", "BSV", "BTC", "BTG", "DASH", "DOGE", "EOS", "ETC", "ETH", "LTC", "MATIC", "NEO", "SOL",
    "TON", "TRX", "USDC", "USDT", "XBT", "XLM", "XMR", "XRP", "XVG", "ZEC", "ADA", "ATOM",
];

/// Whether a line is one word of an address's letters.
pub(super) fn is_address_like(line: &str) -> bool {
    let letters = line.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':');
    letters && (20..=ADDRESS_MAX).contains(&line.len())
}

pub(super) fn read(bytes: &[u8], pack: &mut Pack) -> Result<(), Error> {
    let coin = coin(pack.name());
    let mut tag = Tag::new("sanctioned address", "", pack.name()).abuse("sanction").confidence(Level::AuthorityData);
    tag.pack = pack.name().into();
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        bad(id::number(line) + 1, "it is not UTF-8; save the list as plain text")
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[') {
        let list: Vec<String> = serde_json::from_str(text)
            .map_err(|error| bad(id::number(error.line()), &format!("{error}; expected an array of addresses")))?;
        // An array's strings stand where they will, so they are counted instead.
        for (at, address) in (1..).zip(&list) {
            pack.put(at, coin.as_deref(), address, tag.clone());
        }
        return Ok(());
    }
    for (line, address) in (1..).zip(text.lines().map(str::trim)) {
        if !address.is_empty() && !address.starts_with('#') {
            pack.put(line, coin.as_deref(), address, tag.clone());
        }
    }
    Ok(())
}

/// The coin that a list's name ends in, if it is one's.
fn coin(name: &str) -> Option<String> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let last = stem.rsplit(['_', '-', ' ']).next()?.to_ascii_uppercase();
    COINS.contains(&last.as_str()).then_some(last)
}

fn bad(line: u64, what: &str) -> Error {
    TagError::Bad { at: At::Line(line), what: what.into() }.into()
}
