//! Assets as memos name them: a chain and a symbol, in full or by a letter.

/// How an asset is held: which separator stands between its chain and its symbol.
///
/// # Examples
///
/// See [`Memo`](super::Memo).
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
/// See [`Memo`](super::Memo).
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
