//! Memos of swaps: every form that the protocols' documents show, whole transactions, and hostile bytes.

use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::script::PushBytesBuf;
use fundtrace::bitcoin::{Address, Amount, Network, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::detect::memo::thorchain::{Action, Holding, Memo};
use fundtrace::detect::memo::{self, chainflip, thorchain};
use fundtrace::detect::{Feature, Finding, Kind, Verdict};
#[cfg(feature = "table")]
use fundtrace::report::{self, Report};
#[cfg(feature = "table")]
use fundtrace::spec::{self, Rule};
#[cfg(feature = "table")]
use fundtrace::tag::{Tag, Tags};
#[cfg(feature = "table")]
use fundtrace::trace::{Options, stop};
use fundtrace::{Chain, ChainBuilder};
use proptest::prelude::*;

fn txid(n: u8) -> Txid {
    Txid::from_byte_array([n; 32])
}

fn key(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

fn pay(n: u8, sat: u64) -> TxOut {
    TxOut { value: Amount::from_sat(sat), script_pubkey: key(n) }
}

fn data(bytes: &[u8]) -> TxOut {
    let push = PushBytesBuf::try_from(bytes.to_vec()).unwrap();
    TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(push) }
}

fn address(n: u8) -> String {
    Address::from_script(&key(n), Network::Bitcoin).unwrap().to_string()
}

/// A transaction that spends a coin of a key.
fn tx(name: u8, from: u8, outputs: Vec<TxOut>) -> NewTx {
    let input = NewInput::new(OutPoint::new(txid(name + 100), 0)).prevout(pay(from, 100_000_000));
    NewTx::claimed(txid(name), vec![input], outputs)
}

fn freeze(records: Vec<NewTx>) -> Chain {
    let mut builder = ChainBuilder::new();
    for record in records {
        builder.insert(record).unwrap();
    }
    builder.finish().unwrap()
}

fn found(outputs: Vec<TxOut>) -> Option<Finding> {
    let chain = freeze(vec![tx(1, 9, outputs)]);
    chain.view().txs().find_map(memo::find)
}

fn text(finding: &Finding, feature: &str) -> String {
    match finding.features.get(feature) {
        Some(Feature::Text(text)) => text.clone(),
        other => panic!("{feature}: {other:?}"),
    }
}

#[test]
fn every_action_is_known_in_any_case() {
    let forms = [
        (Action::Swap, "swap s = SWAP Swap S"),
        (Action::Limit, "limito lo =<"),
        (Action::Modify, "m=<"),
        (Action::Add, "add +"),
        (Action::Withdraw, "withdraw wd -"),
        (Action::Migrate, "migrate"),
        (Action::Consolidate, "consolidate"),
        (Action::Donate, "donate d"),
        (Action::Bond, "bond"),
        (Action::Unbond, "unbond"),
        (Action::Leave, "leave"),
        (Action::Reserve, "reserve"),
        (Action::Noop, "noop"),
        (Action::Name, "name n ~"),
        (Action::LoanOpen, "loan+ $+"),
        (Action::LoanRepay, "loan- $-"),
        (Action::TradeDeposit, "trade+"),
        (Action::TradeWithdraw, "trade-"),
        (Action::SecureDeposit, "secure+"),
        (Action::SecureWithdraw, "secure-"),
        (Action::PoolDeposit, "pool+"),
        (Action::PoolWithdraw, "pool-"),
        (Action::Execute, "x exec"),
        (Action::Switch, "switch"),
        (Action::Ragnarok, "ragnarok"),
        (Action::Reference, "reference r"),
    ];
    for (action, words) in forms {
        for word in words.split(' ') {
            let memo = Memo::parse(&format!("{word}:BTC.BTC:someone")).unwrap_or_else(|| panic!("{word}"));
            assert_eq!(memo.action, action, "{word}");
        }
    }
    let hash = "AB".repeat(32);
    for (action, word) in [(Action::Out, "OUT"), (Action::Refund, "refund")] {
        let memo = Memo::parse(&format!("{word}:{hash}")).unwrap();
        assert_eq!((memo.action, memo.inbound), (action, Some("ab".repeat(32))));
    }
    for none in ["", "hello", "gm:BTC.BTC:x", "OUT:12", "swap", "=:", "=::x", "=:nothing:x", "r", "out:zz"] {
        assert_eq!(Memo::parse(none), None, "{none}");
    }
}

#[test]
fn the_documents_examples_are_read() {
    let memo = Memo::parse("=:ETH.ETH:0xd58610f89265a2fb637ac40edf59141ff873b266:0/1/0:te:0").unwrap();
    assert_eq!(memo.destination.as_deref(), Some("0xd58610f89265a2fb637ac40edf59141ff873b266"));
    assert_eq!((memo.limit, memo.interval, memo.quantity), (Some(0), Some(1), Some(0)));
    assert_eq!((memo.affiliates, memo.basis_points), (vec!["te".to_owned()], vec![0]));

    let memo = Memo::parse("=:e:0xabc:161e6").unwrap();
    assert_eq!((memo.asset.unwrap().to_string().as_str(), memo.limit), ("ETH.ETH", Some(161_000_000)));
    // `s` is the action in one place and an asset in the other.
    let memo = Memo::parse("s:s:0xabc").unwrap();
    assert_eq!(memo.asset.unwrap().to_string(), "BSC.BNB");
    let memo = Memo::parse("s:r:thor1xyz").unwrap();
    assert_eq!(memo.asset.unwrap().to_string(), "THOR.RUNE");
    let memo = Memo::parse("+:BTC.BTC:thor1xyz").unwrap();
    assert_eq!(memo.destination.as_deref(), Some("thor1xyz"));
    // The sender gets it where nobody is named; the rest behind the bar is passed on.
    let memo = Memo::parse("=:b::::|anything:else").unwrap();
    assert_eq!((memo.destination, memo.limit, memo.aggregator), (None, None, None));
    let memo = Memo::parse("=:ETH.USDC-6EB48:0xa/bc1q:1.5e8:a/b/c:1/2/3:9f:TOKEN:5").unwrap();
    assert_eq!(memo.asset.as_ref().unwrap().contract.as_deref(), Some("6EB48"));
    assert_eq!((memo.refund.as_deref(), memo.limit), (Some("bc1q"), Some(150_000_000)));
    assert_eq!((memo.affiliates.len(), memo.basis_points), (3, vec![1, 2, 3]));
    assert_eq!(
        (memo.aggregator.as_deref(), memo.final_token.as_deref(), memo.final_least),
        (Some("9f"), Some("TOKEN"), Some(5))
    );
    for (asset, holding) in [
        ("BTC.BTC", Holding::Native),
        ("BTC/BTC", Holding::Synthetic),
        ("BTC~BTC", Holding::Trade),
        ("BTC-BTC", Holding::Secured),
    ] {
        assert_eq!(thorchain::Asset::parse(asset).unwrap().holding, holding);
    }
    let short = "a AVAX.AVAX b BTC.BTC c BCH.BCH d DOGE.DOGE e ETH.ETH f BASE.ETH g GAIA.ATOM l LTC.LTC n BNB.BNB r THOR.RUNE s BSC.BNB \
                 x XRP.XRP tr TRON.TRX";
    let short: Vec<&str> = short.split_whitespace().collect();
    for pair in short.chunks(2) {
        assert_eq!(thorchain::Asset::parse(pair[0]).unwrap().to_string(), pair[1]);
    }
}

#[test]
fn a_swap_in_a_transaction_names_where_it_goes() {
    let memo = "=:ETH.ETH:0xd58610f89265a2fb637ac40edf59141ff873b266:0/1/0:te:0";
    let finding = found(vec![pay(1, 5_000_000), data(memo.as_bytes()), pay(9, 90_000_000)]).unwrap();
    assert_eq!((finding.kind, finding.protocol, finding.rule), (Kind::Swap, "thorchain", "thorchain/2"));
    assert_eq!(text(&finding, "destination_chain"), "ETH");
    assert_eq!(finding.features["paid_sat"], Feature::Value(Amount::from_sat(5_000_000)));
    // Two outputs hold one memo.
    let (head, tail) = memo.split_at(30);
    let split = found(vec![pay(1, 5_000_000), data(head.as_bytes()), data(tail.as_bytes())]).unwrap();
    assert_eq!(text(&split, "destination"), text(&finding, "destination"));
    // Thirteen outputs are one more than the protocol looks at.
    let many: Vec<TxOut> = std::iter::once(data(memo.as_bytes())).chain((1..13).map(|n| pay(n, 1000))).collect();
    let ignored = found(many).unwrap();
    assert_eq!(ignored.features["ignored_by_protocol"], Feature::Flag(true));
    assert!(ignored.confidence < finding.confidence);
    assert!(found(vec![pay(1, 5), data(b"just a note")]).is_none());
}

#[test]
fn a_destination_must_have_its_chains_form() {
    const ETH: &str = "0x3021c479f7F8C9f1D5c7d8523BA5e22C0Bcb5430";
    let said = |memo: &str| found(vec![pay(1, 5_000_000), data(memo.as_bytes()), pay(9, 90_000_000)]).unwrap();
    let percent = |finding: &Finding| finding.confidence.to_ppm() / 10_000;
    let own = account("thor");
    let right = [
        format!("=:ETH.ETH:{ETH}:0/1/0:t:0"),
        format!("=:b:{}", address(5)),
        format!("s:r:{own}"),
        format!("=:BTC/BTC:{own}"),
        format!("=:g:{}", account("cosmos")),
        format!("SWAP:ETH.USDC-0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48:{ETH}/{}:1e8:a/b:10/10000", address(9)),
    ];
    for memo in &right {
        let finding = said(memo);
        assert_eq!((finding.verdict, percent(&finding)), (Verdict::Yes, 90), "{memo}");
        assert_eq!(text(&finding, "destination_kind"), "address", "{memo}");
        assert_eq!(finding.features["destination_valid"], Feature::Flag(true));
    }
    let wrong = [
        "=:ETH.ETH:0x".to_owned(),
        format!("=:ETH.ETH:{ETH}\x1b[31m"),
        format!("=:ETH.ETH:{}", &ETH[..41]),
        "=:BTC.BTC:bc1qhello".to_owned(),
        format!("=:BTC/BTC:{}", address(5)),
        format!("=:LTC.LTC:{ETH}"),
        "=:DOGE.DOGE:Not A Dog".to_owned(),
        "=:XRP.XRP:\x07".to_owned(),
        "=:e".to_owned(),
    ];
    for memo in &wrong {
        let finding = said(memo);
        assert_eq!(finding.verdict, Verdict::Undecided, "{memo:?}");
        assert!(percent(&finding) <= 20, "{memo:?}");
        assert_eq!(finding.features["destination_valid"], Feature::Flag(false), "{memo:?}");
    }
    // No control byte reaches whoever reads the finding, and one elsewhere is no better.
    assert_eq!(text(&said(&wrong[1]), "destination"), format!("{ETH}\\u{{1b}}[31m"));
    let hidden = said(&format!("=:ETH.ETH:{ETH}:0:t\x1b:5"));
    assert_eq!((hidden.verdict, &hidden.features["control_bytes"]), (Verdict::Undecided, &Feature::Flag(true)));
    // A name that the protocol may know is no address.
    let named = said("=:ETH.ETH:nobody-knows");
    assert_eq!((named.verdict, percent(&named)), (Verdict::Yes, 50));
    assert_eq!(text(&named, "destination_kind"), "thorname");
    // A chain whose form is not known here.
    let other = said("=:SOL.SOL:4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T");
    assert_eq!((percent(&other), text(&other, "destination_kind").as_str()), (70, "unchecked"));
}

#[test]
fn addresses_of_each_chain_and_what_differs_by_a_letter() {
    use fundtrace::bitcoin::base58;
    use fundtrace::bitcoin::bech32::{Hrp, segwit};
    let made = |version: u8| base58::encode_check(&[&[version][..], &[7; 20]].concat());
    let ltc = segwit::encode_v0(Hrp::parse("ltc").unwrap(), &[7; 20]).unwrap();
    let known = [
        ("BTC.BTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4".to_owned()),
        ("BTC.BTC", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2".to_owned()),
        ("BCH.BCH", "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a".to_owned()),
        ("BCH.BCH", "ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq".to_owned()),
        ("AVAX.AVAX", "0x3021c479f7F8C9f1D5c7d8523BA5e22C0Bcb5430".to_owned()),
        ("TRON.TRX", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t".to_owned()),
        ("LTC.LTC", ltc),
        ("LTC.LTC", made(0x30)),
        ("LTC.LTC", made(0x32)),
        ("DOGE.DOGE", made(0x1e)),
        ("DOGE.DOGE", made(0x16)),
        ("GAIA.ATOM", account("cosmos")),
        ("THOR.RUNE", account("thor")),
        ("BNB.BNB", account("bnb")),
    ];
    let is_address = |asset: &str, text_of: &str| {
        let memo = format!("=:{asset}:{text_of}");
        let finding = found(vec![pay(1, 5_000_000), data(memo.as_bytes())]).unwrap();
        text(&finding, "destination_kind") == "address"
    };
    for (asset, address) in &known {
        assert!(is_address(asset, address), "{asset} {address}");
        let (cut, last) = address.split_at(address.len() - 1);
        let odd = format!("{cut}{}", if last == "q" { 'p' } else { 'q' });
        assert!(!is_address(asset, &odd) && !is_address(asset, cut), "{asset} {odd}");
        let other = if *asset == "BTC.BTC" { "LTC.LTC" } else { "BTC.BTC" };
        assert!(!is_address(other, address), "{other} {address}");
    }
}

#[test]
fn fees_above_all_of_it_and_words_for_numbers_are_undecided() {
    const ETH: &str = "0x3021c479f7F8C9f1D5c7d8523BA5e22C0Bcb5430";
    let said = |rest: &str| {
        let memo = format!("=:e:{ETH}:{rest}");
        found(vec![pay(1, 5_000_000), data(memo.as_bytes())]).unwrap()
    };
    for rest in
        ["0/1/1:t:1000000", "0:t/u:5/10001", "0:t:ten", "soon:t:5", "0:t:999999999999999999999999999999999999999999"]
    {
        let finding = said(rest);
        assert_eq!(finding.verdict, Verdict::Undecided, "{rest}");
        assert!(finding.confidence.to_ppm() <= 200_000, "{rest}");
        assert_eq!(finding.features["destination_valid"], Feature::Flag(true));
    }
    assert_eq!(said("0:t:10000").verdict, Verdict::Yes);
}

#[test]
fn words_that_ask_for_no_swap_are_undecided() {
    for memo in ["a:hello", "d:me", "bond:me", "trade+:you", "n:bob", "r:12345", "noop"] {
        let finding = found(vec![pay(1, 5_000_000), data(memo.as_bytes())]).unwrap();
        assert_eq!(finding.verdict, Verdict::Undecided, "{memo}");
    }
    for memo in ["+:BTC.BTC:thor1xyz".to_owned(), format!("trade+:{}", account("thor"))] {
        let finding = found(vec![pay(1, 5_000_000), data(memo.as_bytes())]).unwrap();
        assert_eq!(finding.verdict, Verdict::Yes, "{memo}");
    }
}

/// An address of a chain of the Cosmos family.
fn account(hrp: &str) -> String {
    use fundtrace::bitcoin::bech32::{self, Bech32, Hrp};
    bech32::encode::<Bech32>(Hrp::parse(hrp).unwrap(), &[7; 20]).unwrap()
}

fn chainflip_bytes(version: u8, asset: u8, destination: &[u8], affiliates: &[(u8, u8)]) -> Vec<u8> {
    let mut bytes = vec![version, asset];
    bytes.extend(destination);
    bytes.extend(150_u16.to_le_bytes());
    bytes.extend(7_000_000_u128.to_le_bytes());
    if version == 1 {
        bytes.push(3);
    }
    bytes.extend([2, 0, 4, 0, 5, 30]);
    bytes.push(u8::try_from(affiliates.len()).unwrap() << 2);
    bytes.extend(affiliates.iter().flat_map(|(index, fee)| [*index, *fee]));
    bytes
}

#[test]
fn chainflip_swaps_of_every_asset_and_version() {
    for version in 0..=1 {
        for (asset, length) in [(1, 20), (2, 20), (3, 20), (4, 32), (6, 20), (7, 20), (8, 20), (9, 32), (10, 32)] {
            let bytes = chainflip_bytes(version, asset, &vec![0xab; length], &[(1, 10), (2, 20)]);
            let swap = chainflip::Swap::parse(&bytes).unwrap();
            assert_eq!(swap.destination, vec![0xab; length]);
            assert_eq!((swap.minimum, swap.retry_blocks, swap.affiliates.len()), (7_000_000, 150, 2));
            assert_eq!(swap.oracle_slippage, (version == 1).then_some(3));
            // Cut anywhere, or longer, it is none.
            assert!((0..bytes.len()).all(|end| chainflip::Swap::parse(&bytes[..end]).is_none()));
            let finding = found(vec![pay(1, 5_000_000), data(&bytes), pay(9, 90_000_000)]).unwrap();
            assert_eq!((finding.protocol, text(&finding, "refund")), ("chainflip", address(9)));
        }
        for (script_type, length) in [(0, 20), (1, 20), (2, 20), (3, 32), (4, 32)] {
            let destination = [&[script_type][..], &vec![7; length]].concat();
            let swap = chainflip::Swap::parse(&chainflip_bytes(version, 5, &destination, &[])).unwrap();
            assert_eq!(
                (swap.chain, swap.script_type, swap.destination),
                ("Bitcoin", Some(script_type), vec![7; length])
            );
        }
        assert!(chainflip::Swap::parse(&chainflip_bytes(version, 5, &[9; 21], &[])).is_none());
    }
    assert!(chainflip::Swap::parse(&chainflip_bytes(2, 1, &[1; 20], &[])).is_none());
    // The deposit comes first, the change last.
    let bytes = chainflip_bytes(0, 3, &[0xab; 20], &[]);
    assert!(found(vec![data(&bytes), pay(1, 5), pay(9, 9)]).is_none());
    assert!(found(vec![pay(1, 5), data(&bytes)]).is_none());
}

#[test]
fn outbounds_are_joined_to_their_inbounds() {
    let swap = format!("=:BTC.BTC:{}", address(5));
    let inbound = tx(1, 9, vec![pay(1, 5_000_000), data(swap.as_bytes()), pay(9, 90_000_000)]);
    let out = |kind: &str, payee: u8| {
        tx(2, 1, vec![pay(payee, 4_900_000), data(format!("{kind}:{}", txid(1)).as_bytes()), pay(1, 7)])
    };
    let joined = |outbound: NewTx| {
        let chain = freeze(vec![inbound.clone(), outbound]);
        memo::join(chain.view().tx_at(&txid(2)).unwrap(), chain.view())
    };
    let paid = joined(out("OUT", 5)).unwrap();
    assert_eq!((paid.verdict, paid.rule), (Verdict::Yes, "thorchain_join/1"));
    assert_eq!(paid.features["rests_on"], Feature::Txs(vec![txid(1)]));
    assert_eq!(joined(out("OUT", 6)).unwrap().verdict, Verdict::No);
    // The refund goes to the sender, who is nobody else's.
    assert_eq!(joined(out("REFUND", 9)).unwrap().verdict, Verdict::Yes);
    assert_eq!(joined(out("REFUND", 5)).unwrap().verdict, Verdict::No);
    // An inbound on another chain is not here.
    assert!(joined(tx(2, 1, vec![pay(5, 4), data(format!("OUT:{}", "cd".repeat(32)).as_bytes())])).is_none());
    // A swap to another chain cannot have been paid here, as far as an address can be read at all.
    let elsewhere = tx(1, 9, vec![pay(1, 5_000_000), data(b"=:e:0xd58610f89265a2fb637ac40edf59141ff873b266")]);
    let chain = freeze(vec![elsewhere, out("OUT", 5)]);
    let finding = memo::join(chain.view().tx_at(&txid(2)).unwrap(), chain.view()).unwrap();
    assert_eq!(finding.verdict, Verdict::Undecided);
}

#[cfg(feature = "table")]
#[test]
fn a_trace_says_that_what_pays_its_end_carries_a_swap_memo() {
    let paid = |memo: &str| {
        let spent = NewInput::new(OutPoint::new(txid(1), 0)).prevout(pay(9, 100_000_000));
        let chain = freeze(vec![
            tx(1, 8, vec![pay(9, 100_000_000)]),
            NewTx::claimed(txid(2), vec![spent], vec![pay(1, 50_000_000), data(memo.as_bytes()), pay(9, 49_000_000)]),
        ]);
        let seeds = [chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft")];
        let traces = spec::run(chain.view(), &seeds, &[Rule::Fifo], &stop::never(), &Options::default());
        let report = Report::new(&traces).unwrap();
        let (mut json, mut table) = (Vec::new(), Vec::new());
        report::json::write(&report, &mut json).unwrap();
        report::table::write(&report, &mut table).unwrap();
        (serde_json::from_slice::<serde_json::Value>(&json).unwrap(), String::from_utf8(table).unwrap())
    };
    let eth = "0x3021c479f7F8C9f1D5c7d8523BA5e22C0Bcb5430";
    let (json, table) = paid(&format!("=:ETH.ETH:{eth}"));
    let line = format!(
        "this transaction carries a swap memo: thorchain to ETH.ETH {eth} (thorchain/2, confidence 90 %): the coins may go on on another chain"
    );
    let rows = json["elsewhere"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["swap"] == line.as_str()), "{rows:?}");
    assert!(table.contains(&line), "{table}");
    let (json, table) = paid("=:ETH.ETH:nobody-knows");
    assert!(
        json["elsewhere"][0]["swap"]
            .as_str()
            .unwrap()
            .contains("ETH.ETH the name nobody-knows (thorchain/2, confidence 50 %)")
    );
    assert!(table.contains("the name nobody-knows"), "{table}");
    // What is not sure is told too, as such.
    let (json, _) = paid("=:ETH.ETH:0x\x1b[31m");
    assert!(json["elsewhere"][0]["swap"].as_str().unwrap().contains("0x\\u{1b}[31m (thorchain/2, undecided)"));
    // Where the vault is tagged, the lead is a sentence, and the memo one of its reasons.
    let mut tags = Tags::default();
    tags.insert(key(1), Tag::new("Vault", "bridge", "a list"));
    let swap = format!("=:ETH.ETH:{eth}");
    let spent = NewInput::new(OutPoint::new(txid(1), 0)).prevout(pay(9, 100_000_000));
    let outputs = vec![pay(1, 50_000_000), data(swap.as_bytes()), pay(9, 49_000_000)];
    let chain = freeze(vec![tx(1, 8, vec![pay(9, 100_000_000)]), NewTx::claimed(txid(2), vec![spent], outputs)]);
    let seeds = [chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft")];
    let traces = spec::run(chain.view(), &seeds, &[Rule::Fifo], &stop::tagged(&tags), &Options::default());
    let sentences = Report::new(&traces).unwrap().tags(&tags, &[]).sentences();
    assert!(sentences[0].why.contains(&line), "{}", sentences[0]);
    let (json, table) = paid("only a note");
    assert!(json["elsewhere"][0]["swap"].is_null());
    assert!(!table.contains("swap memo"));
}

proptest! {
    #[test]
    fn hostile_data_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), scripts in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = chainflip::Swap::parse(&bytes);
        if let Ok(text) = str::from_utf8(&bytes) {
            let _ = Memo::parse(text);
        }
        let raw = ScriptBuf::from_bytes([&[0x6a][..], &scripts].concat());
        let raw = TxOut { value: Amount::ZERO, script_pubkey: raw };
        let _ = found(vec![pay(1, 5), raw.clone(), pay(2, 5)]);
        let _ = found(vec![pay(1, 5), data(&bytes), raw]);
    }

    #[test]
    fn hostile_text_does_not_panic(text in "[=sS<+:/.|eE0-9a-z~$-]{0,90}", tail in "\\PC{0,40}") {
        let _ = Memo::parse(&text);
        let _ = Memo::parse(&format!("=:{text}:{tail}"));
        let _ = Memo::parse(&format!("=:b:{tail}:{text}"));
        let _ = found(vec![pay(1, 5), data(format!("=:{text}:{tail}").as_bytes())]);
    }

    #[test]
    fn chainflip_bytes_begin_right_and_end_anyhow(asset in 0_u8..14, tail in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = chainflip::Swap::parse(&[&[0, asset][..], &tail].concat());
        let _ = chainflip::Swap::parse(&[&[1, asset][..], &tail].concat());
    }
}
