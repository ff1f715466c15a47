//! Files of tags: every public one at hand, hostile ones, what spreads over clusters, and where a trace stops.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use fundtrace::bitcoin::{Address, Network, OutPoint, ScriptBuf};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::cluster::{self, Carried};
use fundtrace::report::tagpack::{self, Head};
use fundtrace::report::{Classification, Report};
use fundtrace::spec::{self, Rule};
use fundtrace::tag::{self, Confidence, Date, Form, Inferred, Level, Pack, Tag, Tags};
use fundtrace::taint::{Fifo, Taint};
use fundtrace::trace::{self, Options, Reason, Seed, Trace, stop};
use fundtrace::{ChainBuilder, Error, View};
use proptest::prelude::*;
use serde_json::Value;

use crate::mini::{Mini, each_rule, height, name_of_outpoint, script, seed, txid};
use crate::random;
use crate::reference::folder;

fn bytes(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "zst") {
        let mut plain = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&bytes[..]).unwrap().read_to_end(&mut plain).unwrap();
        return plain;
    }
    bytes
}

/// Every file of a folder with this extension, read.
fn packs(folder: &Path, extension: &str) -> BTreeMap<String, Pack> {
    let mut packs = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".zst").to_owned();
        if name.ends_with(extension) {
            let pack = tag::read(&name, &bytes(&path)[..], None, Network::Bitcoin);
            packs.insert(name.clone(), pack.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
    }
    packs
}

/// What is used of each file, what is of other chains, and which lines are of no use.
fn counted(packs: &BTreeMap<String, Pack>) -> Vec<(&str, usize, u64, Vec<u64>)> {
    let row = |(name, pack)| {
        let (name, pack): (&String, &Pack) = (name, pack);
        let unusable = pack.unusable().iter().map(|row| row.line).collect();
        (name.as_str(), pack.tags().len(), pack.elsewhere().values().sum(), unusable)
    };
    packs.iter().map(row).collect()
}

#[test]
fn every_public_tagpack_loads() {
    let Some(folder) = folder() else { return };
    let packs = packs(&folder.join("attribution_graphsense_tagpacks"), ".yaml");
    let expected = [
        ("blender_io.yaml", 45, 0, vec![]),
        ("demo.yaml", 1, 4, vec![]),
        ("exchange-wallets-binance.yaml", 4, 82, vec![]),
        ("exchange-wallets-huobi.yaml", 3, 55, vec![]),
        ("exchange-wallets-okx.yaml", 23, 13, vec![]),
        ("hacks.yaml", 608, 0, vec![]),
        ("lazarus.yaml", 20, 1, vec![]),
        ("lazarus2.yaml", 6, 0, vec![]),
        ("mixing_fc2021.yaml", 66, 0, vec![]),
        // A Tron address that is said to be Bitcoin's.
        ("ofac.yaml", 384, 187, vec![1069]),
        // A letter too many, and an address written small.
        ("plustoken.yaml", 10, 0, vec![11, 31]),
        ("ronin_bridge.yaml", 0, 6, vec![]),
        ("tornado_cash.yaml", 0, 39, vec![]),
        ("twitter_hack_scam.yaml", 3, 0, vec![]),
        ("walletexplorer.yaml", 386, 0, vec![]),
    ];
    assert_eq!(counted(&packs), expected);

    let (_, tag) = packs["exchange-wallets-okx.yaml"].tags().next().unwrap();
    let expected = Tag::new("okx reserves wallets", "exchange", "https://twitter.com/okx/status/1590812545346330624")
        .confidence(Level::ServiceData)
        .is_cluster_definer(true)
        .actor("okex")
        .lastmod("2022-11-15".parse().unwrap())
        .pack("OKX reserve wallets")
        .creator("GraphSense Core Team");
    assert_eq!(*tag, expected);
    // What a tag says itself goes before the header.
    let definers = packs["plustoken.yaml"].tags().filter(|(_, tag)| tag.is_cluster_definer).count();
    assert_eq!(definers, 10);

    let mut all = Tags::default();
    packs.values().for_each(|pack| all.add(pack));
    let labels: Vec<Vec<&str>> = all
        .conflicts(Network::Bitcoin)
        .map(|conflict| conflict.tags.iter().map(|tag| tag.label.as_str()).collect())
        .collect();
    println!("{} addresses, {} with a conflict", all.len(), labels.len());
    assert!(labels.iter().any(|labels| labels.contains(&"Lazarus group")), "{labels:?}");
}

#[test]
fn public_lists_and_tables_load() {
    let Some(folder) = folder() else { return };
    let lists = packs(&folder.join("attribution_ofac"), ".txt");
    assert_eq!(lists.len(), 17);
    for (name, pack) in &lists {
        let here = name.ends_with("_XBT.txt");
        assert_eq!(here, pack.tags().len() > 0, "{name}");
        assert_eq!(here, pack.elsewhere().is_empty(), "{name}");
    }
    // Bitcoin Cash's addresses would be valid here.
    assert_eq!(lists["sanctioned_addresses_BCH.txt"].elsewhere()["BCH"], 7);
    let list = &lists["sanctioned_addresses_XBT.txt"];
    assert_eq!((list.tags().len(), list.unusable().len(), list.unusable()[0].line), (434, 1, 355));
    // The list says no more of itself, so how far it is to be trusted is not ours to say.
    assert!(list.tags().all(|(_, tag)| tag.is_of("sanction") && tag.confidence.is_none()));

    let tables = packs(&folder.join("attribution_btc_entities"), ".csv");
    let expected = [
        ("exchange-tier1-addresses.csv", 98, 0, vec![]),
        ("mining-pool-addresses.csv", 50, 0, vec![37]),
        ("mixer-addresses.csv", 107, 0, vec![]),
        ("ofac-entity-labeled.csv", 104, 0, vec![]),
        ("ransomware-addresses.csv", 126, 0, vec![]),
    ];
    assert_eq!(counted(&tables), expected);
    let (_, first) = tables["exchange-tier1-addresses.csv"].tags().next().unwrap();
    assert_eq!((first.label.as_str(), first.source.as_str()), ("Binance", "bitinfocharts-labeled"));
}

fn address(who: &str) -> String {
    Address::from_script(&script(who), Network::Bitcoin).unwrap().to_string()
}

fn read(text: impl AsRef<[u8]>) -> Result<Pack, Error> {
    tag::read("sanctions", text.as_ref(), None, Network::Bitcoin)
}

#[test]
fn a_table_says_all_that_a_tag_can() {
    let text = format!(
        "\u{feff}address,Label,category,source,actor,abuse,context,license,concepts,confidence,is_cluster_definer,lastmod,since,until,retracted,network,rank\n\
         {},\"A, Inc\",exchange,a court,a,scam,{{}},CC0,x; y,75,TRUE,2020-01-02,2019-01-01,2021-01-01,2022-01-01,btc,1\n\
         # nothing\n{},B,,,,,,,,,,,,,,,\n0x1,C,,,,,,,,,,,,,,ETH,\n",
        address("a"),
        address("b")
    );
    let pack = read(text).unwrap();
    let day = |text: &str| text.parse::<Date>().unwrap();
    let full = Tag::new("A, Inc", "exchange", "a court")
        .actor("a")
        .abuse("scam")
        .context("{}")
        .license("CC0")
        .concepts(vec!["x".into(), "y".into()])
        .confidence(Confidence::of_percent(75).unwrap())
        .is_cluster_definer(true)
        .lastmod(day("2020-01-02"))
        .since(day("2019-01-01"))
        .until(day("2021-01-01"))
        .retracted(day("2022-01-01"))
        .pack("sanctions");
    let tags: Vec<&Tag> = pack.tags().map(|(_, tag)| tag).collect();
    assert_eq!(tags, [&full, &Tag::new("B", "", "sanctions").pack("sanctions")]);
    assert_eq!((pack.unread(), pack.elsewhere()["ETH"]), (&["rank".to_owned()][..], 1));
    // As JSON it is what it was, and a tag of three fields has three.
    for tag in tags {
        assert_eq!(serde_json::from_str::<Tag>(&serde_json::to_string(tag).unwrap()).unwrap(), *tag);
    }
    let plain = serde_json::to_value(Tag::new("a", "b", "c")).unwrap();
    assert_eq!(plain, serde_json::json!({"label": "a", "category": "b", "source": "c"}));
}

#[test]
fn hostile_files_are_refused_and_say_where_and_how_to_mend() {
    let a = address("a");
    let pack =
        |tag: &str| format!("title: t\ncreator: c\nsource: s\nlabel: l\ntags:\n- address: {a}\n  currency: BTC\n{tag}");
    let deep = format!("tags: {}", "[".repeat(50_000));
    let bomb = "a: &a [x, x]\ntitle: &b t\ntags:\n- label: *b\n";
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &["it says nothing"]),
        (b"# only words\n".to_vec(), &["it says nothing"]),
        (b"Once upon a time".to_vec(), &["begins with \"Once upon a time\"", "expected a TagPack"]),
        (vec![b'a'; (32 << 20) + 1], &["longer than 33554432 bytes", "split it"]),
        (deep.into_bytes(), &["line 1"]),
        (bomb.into(), &["line 1", "unknown field \"a\""]),
        (b"title: &b t\ntags:\n- label: *b\n".to_vec(), &["line 1", "nchor"]),
        (b"title: t\n".to_vec(), &["line 1: there are no tags"]),
        (b"title: t\ntags: 5\n".to_vec(), &["line 2"]),
        (b"title: t\ntags:\n- 5\n".to_vec(), &["line 3"]),
        (pack("  label: [a, b]\n").into(), &["line 8"]),
        (pack("  is_cluster_definer: perhaps\n").into(), &["line 8"]),
        (pack("  concepts: 7\n").into(), &["line 8"]),
        (pack("  currency: BTC\n").into(), &["line 8", "duplicate"]),
        (pack("  lable: l\n").into(), &["unknown field \"lable\"; known are address, "]),
        (pack("  title: t\n").into(), &["line 6: the tag has a field \"title\"", "header"]),
        (pack("  confidence: sure\n").into(), &["line 6: confidence is \"sure\"", "write one of override, ownership"]),
        (pack("  lastmod: 2022-02-30\n").into(), &["line 6: lastmod is \"2022-02-30\"", "write YYYY-MM-DD"]),
        (
            pack("  since: 2021-01-02\n  until: 2021-01-01\n").into(),
            &["line 6: until is \"2021-01-01\"", "before since, 2021-01-02; exchange the two"],
        ),
        (pack("- label: l\n").into(), &["line 8: the tag has no address; give it one"]),
        (format!("title: t\ntags:\n- address: {a}\n  source: s\n").into(), &["line 3: the tag has no label", "header"]),
        (format!("title: t\ntags:\n- address: {a}\n  label: s\n").into(), &["line 3: the tag has no source", "header"]),
        (b"title: \"\xff\xfe\"\ntags: []\n".to_vec(), &["line"]),
        (b"title: t\0\ntags: []\n".to_vec(), &["line 1"]),
        (b"title: t\ntags: []\n---\ntitle: u\n".to_vec(), &["line"]),
        (b"title: t\n<<: {label: l}\ntags: []\n".to_vec(), &["line 2"]),
        (b"address,entry\n".to_vec(), &["line 1: no column is named \"label\""]),
        (b"address,label,name\n".to_vec(), &["line 1: two columns are named \"label\""]),
        (
            format!("address,label\n{a},l,more\n").into(),
            &["line 2: the line has 3 cells and the first line 2", "quote"],
        ),
        (format!("address,label,confidence\n\n{a},l,101\n").into(), &["line 3: confidence is \"101\"", "0 to 100"]),
        (format!("address,label,until\n{a},l,soon\n").into(), &["line 2: until is \"soon\""]),
        (
            format!("address,label,since,until\n{a},l,2021-01-02,2021-01-01\n").into(),
            &["line 2: until is \"2021-01-01\"", "before since, 2021-01-02"],
        ),
        (format!("address,label,is_cluster_definer\n{a},l,2\n").into(), &["line 2", "write true or false"]),
        (b"address,label\n,l\n".to_vec(), &["line 2: the tag has no address"]),
        (format!("address,label\n{a},\n").into(), &["line 2: the tag has no label"]),
        (b"address,label\n\xff,l\n".to_vec(), &["line 2", "UTF-8"]),
        (b"[1, 2]".to_vec(), &["line 1", "expected an array of addresses"]),
        (b"[[[[".to_vec(), &["line 1"]),
        ([format!("{a}\n").as_bytes(), b"\xff\n"].concat(), &["line 2", "UTF-8"]),
    ];
    for (text, expected) in cases {
        let shown = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
        let error = read(&text).map(|pack| pack.listing()).expect_err(&shown);
        assert!(error.is_tag(), "{shown}\n{error}");
        for part in expected {
            assert!(error.to_string().contains(part), "{shown}\n{error}\n{part}");
        }
    }
}

#[test]
fn rows_of_no_use_are_told() {
    let (a, b) = (address("a"), address("b"));
    let test = Address::from_script(&script("a"), Network::Testnet).unwrap();
    let list = format!("{a}\n{b}x\n{test}\nbad\0address\n{a}\n{}\n", "1".repeat(5000));
    // Whoever gives a list of nothing but addresses says what it is, by its name or by its form.
    let bare = tag::read("clients.txt", format!("{a}\n").as_bytes(), None, Network::Bitcoin).unwrap_err();
    assert!(bare.is_tag() && bare.to_string().contains("does not say what they are"), "{bare}");
    let pack = tag::read("ofac.txt", list.as_bytes(), None, Network::Bitcoin).unwrap();
    let rows: Vec<(u64, &str)> = pack.unusable().iter().map(|row| (row.line, row.why)).collect();
    let none = "is no Bitcoin address; check it against its source";
    assert_eq!(rows, [(2, none), (3, "is an address of another network"), (4, none), (6, none)]);
    assert!(pack.unusable()[3].address.len() <= 100);
    let tron = format!(
        "label: l\nsource: s\ntags:\n- {{address: T1, currency: TRX}}\n- {{address: {a}, currency: USDT, network: BTC}}\n- {{tx_hash: ab, currency: BTC}}\n"
    );
    let pack = read(tron).unwrap();
    assert_eq!((pack.elsewhere()["TRX"], pack.tags().len()), (1, 1));
    assert!(pack.unusable()[0].to_string().starts_with("line 6: \"ab\" is a transaction"));
    // On another network its addresses are those that count.
    let pack = tag::read("x", format!("{a}\n{test}\n").as_bytes(), Some(Form::Sanctions), Network::Testnet).unwrap();
    assert_eq!((pack.tags().len(), pack.unusable()[0].line), (1, 1));
}

fn some_tag() -> impl Strategy<Value = Tag> {
    let day = any::<u32>().prop_map(Date::of_unix);
    let text = || any::<String>();
    let days = (
        prop::option::of(day.clone()),
        prop::option::of(day.clone()),
        prop::option::of(day.clone()),
        prop::option::of(day),
    );
    let levels = [Level::Override, Level::ServiceApi, Level::Heuristic, Level::Unknown].map(Confidence::from);
    let number = (0..=100_u8).prop_map(|percent| Confidence::of_percent(percent).unwrap());
    let confidence = prop::option::of(prop_oneof![prop::sample::select(levels.to_vec()), number]);
    let inferred =
        prop::option::of((text(), text(), text()).prop_map(|(from, rule, of)| Inferred::new(from, rule, of)));
    let words = (text(), text(), text(), text(), text(), text(), text(), prop::collection::vec(text(), 0..3));
    // Contexts that look like what we write, whole or nearly.
    let wrapped = (text(), prop::sample::select(vec!["", "}", " "])).prop_map(|(text, end)| {
        format!(
            "{}{end}",
            serde_json::json!({"fundtrace": {"inferred": {"from": text, "rule": "", "cluster": ""}, "context": "x"}})
        )
    });
    let given = prop_oneof![2 => Just(None), 1 => wrapped.prop_map(Some)];
    (words, days, confidence, any::<bool>(), inferred, given).prop_map(
        |(words, days, confidence, definer, inferred, given)| {
            let (label, category, source, actor, abuse, context, license, concepts) = words;
            let mut tag = Tag::new(label, category, source).actor(actor).abuse(abuse).context(context).license(license);
            tag = tag.concepts(concepts).is_cluster_definer(definer);
            (tag.lastmod, tag.since, tag.until, tag.retracted) = days;
            if tag.since.zip(tag.until).is_some_and(|(since, until)| until < since) {
                (tag.since, tag.until) = (tag.until, tag.since);
            }
            (tag.confidence, tag.inferred, tag.context) = (confidence, inferred, given.unwrap_or(tag.context));
            tag
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_read_back_equal(tags in prop::collection::vec(some_tag(), 0..4), title in any::<String>()) {
        let address: Address = Address::from_script(&script("a"), Network::Bitcoin).unwrap();
        let mut text = Vec::new();
        let head = Head::new(&title, "c").description("d: \"e\"");
        tagpack::write(&head, tags.iter().map(|tag| (&address, tag)), &mut text).unwrap();
        let pack = tag::read("f", &text[..], None, Network::Bitcoin).unwrap();
        let expected: Vec<Tag> = tags.into_iter().map(|tag| tag.pack(&title).creator("c")).collect();
        let found: Vec<Tag> = pack.tags().map(|(_, tag)| tag.clone()).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn random_bytes_are_no_panic(noise in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), n in 0..4_usize) {
        let sound = [
            format!("title: t\nlabel: l\nsource: s\ntags:\n- address: {}\n  currency: BTC\n", address("a")),
            format!("address,label,confidence\n{},l,forensic\n", address("a")),
            format!("[\"{}\"]", address("a")),
            String::new(),
        ];
        let mut text = sound[n].clone().into_bytes();
        let at = at.index(text.len() + 1);
        text.splice(at..at, noise);
        let _ = read(&text);
        for form in [Form::TagPack, Form::Csv, Form::Sanctions] {
            if let Ok(pack) = tag::read("f", &text[..], Some(form), Network::Bitcoin) {
                let _ = pack.listing();
            }
        }
    }

    #[test]
    fn more_tags_only_stop_more_and_every_satoshi_is_accounted_for(case in random::case(false), few in any::<u64>(), more in any::<u64>()) {
        let chain = case.chain();
        let view = chain.view();
        let scripts: Vec<ScriptBuf> = view.txs().flat_map(|tx| tx.outputs()).filter_map(|output| output.script().map(Into::into)).collect();
        let tagged = |bits: u64| {
            let mut tags = Tags::default();
            for (at, script) in scripts.iter().enumerate().filter(|(at, _)| bits >> (at % 64) & 1 == 1) {
                let category = if at % 2 == 0 { "exchange" } else { "user" };
                tags.insert(script.clone(), Tag::new(format!("{at}"), category, "this test"));
            }
            tags
        };
        let (few, more) = (tagged(few & more), tagged(few | more));
        let only = ["exchange".to_owned()];
        let ladder = [stop::tagged(&few).only(&only), stop::tagged(&few), stop::tagged(&more)];
        each_rule!(rule => {
            let traces = ladder.each_ref().map(|stop| trace::forward(view, &case.seeds(view), &rule, stop, &case.options));
            for trace in &traces {
                if rule.name() != "poison" {
                    prop_assert_eq!(trace.balance().accounted(), trace.balance().seeded);
                }
            }
            // Rules that keep each satoshi's place, and the one that keeps none: what is cut is gone below and nowhere else.
            if ["poison", "fifo", "lifo"].contains(&rule.name()) {
                for pair in traces.windows(2) {
                    for touch in pair[1].touched() {
                        let before = pair[0].touch(touch.output);
                        prop_assert!(before.is_some_and(|before| before.amount >= touch.amount && (before.carried || !touch.carried)));
                    }
                }
            }
        });
    }
}

/// A thief pays a deposit address, which is swept with another's deposit; later the exchange spends from both at once.
const DEPOSIT: &str = "
    theft @1: loot:0=100/victim -> 100/thief
    away @2: theft:0 -> 60/deposit 40/thief2
    other @2: coin:0=50/alice -> 50/deposit2
    sweep @3: away:0 other:0 -> 110/hot
    again @4: coin:1=10/bob -> 10/deposit
    join @5: again:0 sweep:0 -> 120/hot
    out @6: join:0 -> 30/customer 90/hot
";

fn hot() -> Tags {
    let mut tags = Tags::default();
    tags.insert(
        script("hot"),
        Tag::new("Example Exchange", "exchange", "its own list")
            .is_cluster_definer(true)
            .confidence(Level::ServiceData),
    );
    tags
}

/// Where the trace ends and why.
fn ends(trace: &Trace<'_>) -> Vec<(String, String)> {
    let name = |end: &trace::End| name_of_outpoint(trace.view().output(end.output).outpoint());
    trace.ends().iter().map(|end| (name(end), end.reason.to_string())).collect()
}

fn fifo<'c>(view: View<'c>, tags: &Tags) -> Trace<'c> {
    trace::forward(view, &[seed(view, "loot:0")], &Fifo, &stop::tagged(tags), &Options::default())
}

#[test]
fn a_stop_binds_to_the_deposit_address_whatever_later_sweeps_join() {
    let chain = Mini::new(DEPOSIT).chain();
    let view = chain.view();
    let tags = hot();
    let clusters = cluster::by_spending(view, |_| false);
    let spread = cluster::spread(view, &clusters, &tags, "spending 1", Carried::Definers);
    assert_eq!((tags.covered(), spread.covered(), spread.len()), (0, 3, 1));

    // Without the cluster the sweep is followed, and the deposit address is not named.
    let late = ends(&fifo(view, &tags));
    assert_eq!(
        late,
        [("away:1".into(), "unknown_spender".into()), ("sweep:0".into(), "tagged (Example Exchange)".into())]
    );
    // With it the deposit address is the end: no sweep later, and no hop earlier.
    let found = fifo(view, &spread);
    let says = format!("tagged (Example Exchange, inferred from {} by spending 1)", address("hot"));
    assert_eq!(ends(&found), [("away:0".into(), says), ("away:1".into(), "unknown_spender".into())]);
    let Reason::Tagged(tag) = &found.ends()[0].reason else { panic!() };
    assert_eq!(tag.inferred, Some(Inferred::new(address("hot"), "spending 1", address("deposit"))));
    let lead = found.leads().by_amount().next().unwrap();
    assert_eq!(lead.address.unwrap().to_string(), address("deposit"));
    // Just as if somebody had tagged the deposit addresses.
    let mut direct = hot();
    for key in ["deposit", "deposit2"] {
        direct.insert(script(key), Tag::new("Example Exchange", "exchange", "a subpoena"));
    }
    let told = fifo(view, &direct);
    let places = |trace: &Trace<'_>| trace.ends().iter().map(|end| (end.output, end.amount)).collect::<Vec<_>>();
    assert_eq!(places(&found), places(&told));
    // As of a height before the two are joined nothing says whose the deposit address is.
    let then = chain.as_of(height(4));
    let early = cluster::spread(then, &cluster::by_spending(then, |_| false), &tags, "spending 1", Carried::Definers);
    assert_eq!(ends(&fifo(then, &early)), late);
    // The digest tells the two apart.
    assert_ne!(spread.digest(), tags.digest());
}

#[test]
fn clusters_keep_conflicts_and_carry_no_more_than_asked() {
    let chain = Mini::new(DEPOSIT).chain();
    let view = chain.view();
    let clusters = cluster::by_spending(view, |_| false);
    let spread = |tags: &Tags, carried| cluster::spread(view, &clusters, tags, "spending 1", carried);
    let mut tags = hot();
    tags.insert(script("deposit2"), Tag::new("Another Exchange", "exchange", "a forum").confidence(Level::WebCrawl));
    assert_eq!(spread(&tags, Carried::Definers).conflicts(Network::Bitcoin).count(), 0);
    let every = spread(&tags, Carried::Every);
    let conflict = every.conflicts(Network::Bitcoin).next().unwrap();
    assert_eq!(conflict.place, format!("the cluster of {}", address("deposit")));
    // The more trusted first, whichever address comes first.
    let labels: Vec<&str> = conflict.tags.iter().map(|tag| tag.label.as_str()).collect();
    assert_eq!(labels, ["Example Exchange", "Another Exchange"]);
    // On its own address a tag comes before what a cluster says, and is not said twice.
    let output = view.output_at(OutPoint::new(txid("other"), 0)).unwrap();
    let held: Vec<(&str, bool)> =
        every.holding(output).map(|tag| (tag.label.as_str(), tag.inferred.is_some())).collect();
    assert_eq!(held, [("Another Exchange", false), ("Example Exchange", true)]);
    // A tag that was taken back goes nowhere, and holds nowhere.
    let mut retracted = Tags::default();
    retracted.insert(
        script("hot"),
        Tag::new("x", "", "y").is_cluster_definer(true).retracted("2020-01-01".parse().unwrap()),
    );
    assert_eq!(spread(&retracted, Carried::Every).covered(), 0);
    assert_eq!(fifo(view, &retracted).ends().len(), fifo(view, &Tags::default()).ends().len());
    assert_eq!(fifo(view, &retracted.as_of("2019-12-31".parse().unwrap())).ends()[1].reason.as_str(), "tagged");
}

#[test]
fn a_tag_holds_on_its_days_only() {
    let day = |text: &str| text.parse::<Date>().unwrap();
    let pay = |name: &str, from: &str, time: Option<u32>| {
        let value = fundtrace::bitcoin::TxOut { value: crate::mini::sat(9), script_pubkey: script("a") };
        let tx = NewTx::claimed(
            txid(name),
            vec![NewInput::new(crate::mini::outpoint(from)).prevout(value.clone())],
            vec![value],
        );
        match time {
            Some(time) => tx.height(height(1)).time(time),
            None => tx,
        }
    };
    let mut tags = Tags::default();
    tags.insert(script("a"), Tag::new("A", "", "this test").since(day("2020-01-01")).until(day("2020-12-31")));
    // The last second before, the first and the last second within, the first after; and nobody knows.
    for (time, held) in [
        (Some(1_577_836_799), false),
        (Some(1_577_836_800), true),
        (Some(1_609_459_199), true),
        (Some(1_609_459_200), false),
        (None, true),
    ] {
        let mut builder = ChainBuilder::new();
        builder.insert(pay("t", "s:0", time)).unwrap();
        let chain = builder.finish().unwrap();
        let output = chain.view().output_at(OutPoint::new(txid("t"), 0)).unwrap();
        assert_eq!(tags.holding(output).count(), usize::from(held), "{time:?}");
        assert_eq!(tags.of(output).len(), 1);
    }
}

/// Somebody pays a deposit address in June 2020, and in July the exchange spends from it and its hot wallet at once.
fn june() -> fundtrace::Chain {
    let pays = |who: &str| fundtrace::bitcoin::TxOut { value: crate::mini::sat(9), script_pubkey: script(who) };
    let from = |name: &str| NewInput::new(crate::mini::outpoint(name)).prevout(pays("thief"));
    let mut builder = ChainBuilder::new();
    for (name, input, who, time) in [("t", "s:0", "deposit", 1_592_000_000), ("h", "g:0", "hot", 1_592_000_600)] {
        builder
            .insert(NewTx::claimed(txid(name), vec![from(input)], vec![pays(who)]).height(height(1)).time(time))
            .unwrap();
    }
    let both = ["t:0", "h:0"].map(|name| NewInput::new(crate::mini::outpoint(name))).to_vec();
    builder.insert(NewTx::claimed(txid("j"), both, vec![pays("hot")]).height(height(2)).time(1_594_000_000)).unwrap();
    builder.finish().unwrap()
}

#[test]
fn what_does_not_hold_hides_nothing_and_is_shown() {
    let chain = june();
    let view = chain.view();
    let day = |text: &str| text.parse::<Date>().unwrap();
    let clusters = cluster::by_spending(view, |_| false);
    let paid = view.output_at(OutPoint::new(txid("t"), 0)).unwrap();
    let own = || Tag::new("Example Exchange", "exchange", "its own list");
    for (lapsed, said) in [
        (
            own().until(day("2019-12-31")),
            "its own list says Example Exchange of this address, which holds until 2019-12-31: not on 2020-06-12, so it is not used",
        ),
        (
            own().retracted(day("2021-01-01")),
            "its own list took back on 2021-01-01 what it said of this address: Example Exchange",
        ),
    ] {
        let mut tags = hot();
        tags.insert(script("deposit"), lapsed.clone());
        let tags = cluster::spread(view, &clusters, &tags, "spending 1", Carried::Definers);
        let holding: Vec<&Tag> = tags.holding(paid).collect();
        let [held] = holding[..] else { panic!("{holding:?}") };
        assert_eq!(held.inferred, Some(Inferred::new(address("hot"), "spending 1", address("hot"))));
        assert_eq!(tags.lapsed(paid).collect::<Vec<_>>(), [&lapsed]);

        let seeds = [seed(view, "s:0")];
        let traces = spec::run(view, &seeds, &[Rule::Fifo], &stop::tagged(&tags), &Options::default());
        assert_eq!(ends(&traces[0]).len(), 1);
        assert_eq!(ends(&traces[0])[0].0, "t:0");
        let report = Report::new(&traces).unwrap().tags(&tags, &[]);
        assert!(report.sentences()[0].defeat.contains(&said.to_owned()), "{}", report.sentences()[0]);
        let mut bytes = Vec::new();
        fundtrace::report::json::write(&report, &mut bytes).unwrap();
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["tagged"][0]["lapsed"][0]["label"], "Example Exchange");
        let mut bytes = Vec::new();
        fundtrace::report::table::write(&report, &mut bytes).unwrap();
        let table = String::from_utf8(bytes).unwrap();
        assert!(table.contains(&format!("NOT USED: {lapsed}")), "{table}");
    }
    // What is true twice is still said once.
    let mut tags = hot();
    tags.insert(script("deposit"), own().since(day("2020-01-01")));
    let tags = cluster::spread(view, &clusters, &tags, "spending 1", Carried::Definers);
    assert_eq!((tags.holding(paid).count(), tags.lapsed(paid).count()), (1, 0));
}

#[test]
fn reasons_say_on_which_days_a_tag_holds_and_who_took_it_back() {
    let chain = june();
    let view = chain.view();
    let day = |text: &str| text.parse::<Date>().unwrap();
    let mut tags = hot();
    let dated = Tag::new("Shop", "market", "a list")
        .since(day("2020-01-01"))
        .until(day("2020-12-31"))
        .lastmod(day("2022-02-02"));
    tags.insert(script("deposit"), dated.clone());
    // Another source had said so of this address too, and took it back; and one of the hot wallet.
    tags.insert(script("deposit"), Tag::new("Shop", "market", "a forum").retracted(day("2023-03-03")));
    tags.insert(script("hot"), Tag::new("Example Exchange", "exchange", "a blog").retracted(day("2024-04-04")));
    let seeds = [seed(view, "s:0")];
    let run = |tags: &Tags| spec::run(view, &seeds, &[Rule::Fifo], &stop::tagged(tags), &Options::default());
    let traces = run(&tags);
    assert_eq!(ends(&traces[0])[0].1, "tagged (Shop; holds from 2020-01-01 to 2020-12-31)");
    let report = Report::new(&traces).unwrap().tags(&tags, &[]);
    let [sentence] = &report.sentences()[..] else { panic!() };
    let tagged = "is tagged Shop (market; says a list, changed 2022-02-02; holds from 2020-01-01 to 2020-12-31)";
    assert!(sentence.sentence.ends_with(tagged), "{sentence}");
    let taken_back = "a forum took back on 2023-03-03 what it said of this address: Shop";
    assert!(sentence.defeat.iter().any(|line| line == taken_back), "{sentence}");
    let mut bytes = Vec::new();
    fundtrace::report::table::write(&report, &mut bytes).unwrap();
    let table = String::from_utf8(bytes).unwrap();
    assert!(
        table.contains("tagged (Shop; holds from 2020-01-01 to 2020-12-31), says a list, changed 2022-02-02"),
        "{table}"
    );

    // Of a tag that a cluster carried, what was taken back of the address that it comes from.
    let mut tags = hot();
    tags.insert(script("hot"), Tag::new("Example Exchange", "exchange", "a blog").retracted(day("2024-04-04")));
    let clusters = cluster::by_spending(view, |_| false);
    let tags = cluster::spread(view, &clusters, &tags, "spending 1", Carried::Definers);
    let traces = run(&tags);
    let [sentence] = &Report::new(&traces).unwrap().tags(&tags, &[]).sentences()[..] else { panic!() };
    let taken_back = format!("a blog took back on 2024-04-04 what it said of {}: Example Exchange", address("hot"));
    assert!(sentence.defeat.contains(&taken_back), "{sentence}");
}

#[test]
fn leads_rank_by_exit_evidence_and_value() {
    // Six places of one theft: the dearest is nobody's, the next a thief's.
    let chain = Mini::new(
        "pay @1: loot:0=100000/victim -> 50000/unknown 30000/thief 10000/weak 5000/strong 4000/stronger 40/dust 960/rest!unspent",
    )
    .chain();
    let view = chain.view();
    let mut tags = Tags::default();
    let mut tag = |who: &str, category: &str, level: Level| {
        tags.insert(script(who), Tag::new(who, category, "a list").confidence(level));
    };
    tag("thief", "perpetrator", Level::Ownership);
    tag("weak", "exchange", Level::Heuristic);
    tag("strong", "exchange", Level::Forensic);
    tag("stronger", "exchange", Level::AuthorityData);
    tag("dust", "exchange", Level::Ownership);
    let seeds = [seed(view, "loot:0")];
    let traces = spec::run(view, &seeds, &[Rule::Fifo, Rule::Poison], &stop::tagged(&tags), &Options::default());
    let report = Report::new(&traces).unwrap().tags(&tags, &[]);
    let who = |order| -> Vec<u64> {
        report.clone().order(order).sentences().iter().map(|sentence| sentence.amount_sat).collect()
    };
    use fundtrace::trace::{Exit, Grade, LeadOrder};
    assert_eq!(who(LeadOrder::Rank), [5_000, 4_000, 10_000, 40, 30_000]);
    assert_eq!(who(LeadOrder::Value), [30_000, 10_000, 5_000, 4_000, 40]);
    let sentences = report.sentences();
    assert!(sentences[0].to_string().contains(
        "\n  why it ranks here: exit: a service that can act; value: 5000 sat, 50 thousandths of what was seeded; evidence of who is there: strong\n"
    ));
    assert!(sentences[3].rank.to_string().contains("less than a thousandth of what was seeded"));
    assert_eq!((sentences[4].rank.exit, sentences[4].rank.grade), (Exit::Named, Grade::Strong));
    // All places of a trace, those of which nobody says anything among them.
    let ranked: Vec<u64> = traces[0].leads().ranked().map(|lead| lead.amount.to_sat()).collect();
    assert_eq!(ranked, [5_000, 4_000, 10_000, 40, 30_000, 960, 50_000]);
    let mut bytes = Vec::new();
    fundtrace::report::table::write(&report, &mut bytes).unwrap();
    let table = String::from_utf8(bytes).unwrap();
    let rest = table.split("\nLeads of which nobody says who is there, under fifo\n- ").nth(1).unwrap();
    assert!(rest.starts_with(&format!("{}, 1 hop, ", address("rest"))), "{rest}");
    assert!(
        rest.contains(
            "  why it ranks here: exit: missing data; value: 50000 sat, 500 thousandths of what was seeded; "
        ),
        "{rest}"
    );
    let bound = traces[1].leads().ranked().next().unwrap();
    assert!(bound.to_string().contains("value: at most 5000 sat"), "{bound}");
    let mut bytes = Vec::new();
    fundtrace::report::json::write(&report, &mut bytes).unwrap();
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    let elsewhere = json["elsewhere"].as_array().unwrap();
    let places: Vec<(u64, &str)> =
        elsewhere.iter().map(|row| (row["amount_sat"].as_u64().unwrap(), row["reason"].as_str().unwrap())).collect();
    assert_eq!(places, [(960, "unspent"), (50_000, "unknown_spender")]);
    let rank = &json["leads"][3]["rank"];
    assert_eq!(
        (&rank["exit"], &rank["evidence"], &rank["is_small"]),
        (&"service".into(), &"strong".into(), &true.into())
    );
}

#[test]
fn other_categories_are_passed_and_sources_stand_side_by_side() {
    let chain = Mini::new(DEPOSIT).chain();
    let view = chain.view();
    let mut tags = hot();
    tags.insert(script("deposit"), Tag::new("a person", "user", "a leak").abuse("scam"));
    tags.insert(script("hot"), Tag::new("Another Exchange", "exchange", "a forum"));
    let trace = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|word| (*word).to_owned()).collect();
        let found =
            trace::forward(view, &[seed(view, "loot:0")], &Fifo, &stop::tagged(&tags).only(&only), &Options::default());
        ends(&found)
    };
    assert_eq!(trace(&[])[0].1, "tagged (a person)");
    assert_eq!(trace(&["SCAM"])[0].1, "tagged (a person)");
    let found = trace(&["mixing_service", "exchange"]);
    assert_eq!(found[1], ("sweep:0".into(), "tagged (Example Exchange)".into()));
    assert_eq!(tags.conflicts(Network::Bitcoin).count(), 1);
    // The same tags in another order on one address stop for another reason, and the digest says so.
    let mut turned = Tags::default();
    for (_, said) in tags.iter() {
        assert!(!said.is_empty());
    }
    turned.insert(script("hot"), Tag::new("Another Exchange", "exchange", "a forum"));
    let turned = turned.before(hot());
    let mut plain = hot();
    plain.insert(script("hot"), Tag::new("Another Exchange", "exchange", "a forum"));
    assert_ne!(turned.digest(), plain.digest());
}

#[test]
fn a_lead_says_what_it_rests_on_and_what_would_defeat_it() {
    let chain = Mini::new(DEPOSIT).chain();
    let view = chain.view();
    let mut tags = hot();
    tags.insert(script("thief"), Tag::new("a thief", "user", "the victim"));
    tags.insert(script("hot"), Tag::new("Another Exchange", "exchange", "a forum"));
    let clusters = cluster::by_spending(view, |_| false);
    let tags = cluster::spread(view, &clusters, &tags, "spending 1", Carried::Definers);
    let only = ["exchange".to_owned()];
    let seeds: Vec<Seed> = vec![seed(view, "loot:0")];
    let rules = [Rule::Poison, Rule::Fifo, Rule::Lifo, Rule::Haircut];
    let traces = spec::run(view, &seeds, &rules, &stop::tagged(&tags).only(&only), &Options::default());
    let report = Report::new(&traces).unwrap().tags(&tags, &[]);
    let [sentence] = &report.sentences()[..] else { panic!("{:?}", report.sentences()) };
    let (deposit, hot) = (address("deposit"), address("hot"));
    let expected = format!(
        "rule fifo attributes 0.00000060 BTC (other rules: 0.00000060 BTC) to address {deposit}, 2 hops on through {}, {} past a thief; \
         {deposit} is classed as an address of Example Exchange (exchange; confidence 50 of 100, service_data; says its own list; inferred from {hot} by spending 1)",
        txid("theft"),
        txid("away")
    );
    assert_eq!(sentence.sentence, expected);
    assert!(
        sentence.why[0].starts_with(&format!(
            "its own list says so of {hot}; spending 1 puts that address and this one into one cluster"
        )),
        "{sentence}"
    );
    assert!(sentence.defeat[0].contains("a mix or a payjoin"), "{sentence}");
    assert_eq!((sentence.amount_sat, sentence.least_sat, sentence.most_sat), (60, Some(60), Some(60)));

    // What the cluster carried there is a finding, which reads back.
    let found = tagpack::findings(&report);
    let [(at, tag)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((at.to_string(), tag.label.as_str()), (deposit.clone(), "Example Exchange"));
    let mut text = Vec::new();
    tagpack::write(&Head::new("t", "c"), found.iter().map(|(address, tag)| (address, tag)), &mut text).unwrap();
    let pack = read(text).unwrap();
    let (_, back) = pack.tags().next().unwrap();
    // It is an inference still, and no attribution of the address.
    assert_eq!((back.inferred.as_ref(), back.source.as_str()), (tag.inferred.as_ref(), tag.source.as_str()));
    let mut again = Tags::default();
    again.add(&pack);
    assert_eq!(cluster::spread(view, &clusters, &again, "spending 1", Carried::Every).covered(), 0);
    let stopped = spec::run(view, &seeds, &rules, &stop::tagged(&again), &Options::default());
    let next = Report::new(&stopped).unwrap().tags(&again, &[]);
    assert!(next.sentences()[0].why[0].contains("an earlier inference (inferred from "), "{}", next.sentences()[0]);
    assert!(next.sentences()[0].sentence.contains(" is classed as an address of Example Exchange "));
    assert_eq!(tagpack::findings(&next), []);

    // What a rule about services says goes before the tag.
    let class = Classification::new("probable deposit address", "Example Exchange", "deposit 1")
        .confidence(85)
        .because("it was swept")
        .defeated_by("a processor");
    let classified = BTreeMap::from([(view.address_index(&script("deposit")).unwrap(), class.clone())]);
    let sentences = report.clone().classified(&classified).sentences();
    assert_eq!(tagpack::findings(&report.clone().classified(&classified))[0].1, class.to_tag());
    assert_eq!(class.to_tag().inferred, Some(Inferred::new("", "deposit 1", "")));
    assert!(sentences[0].sentence.ends_with(
        "is classed as a probable deposit address of Example Exchange (confidence 85 of 100 by rule deposit 1)"
    ));
    assert_eq!((sentences[0].why[0].as_str(), sentences[0].defeat[0].as_str()), ("it was swept", "a processor"));
    // Without any stop too: a place where the trace ends for another reason.
    let thief2 = BTreeMap::from([(view.address_index(&script("thief2")).unwrap(), class)]);
    assert_eq!(report.clone().classified(&thief2).sentences().len(), 2);

    let mut json = Vec::new();
    fundtrace::report::json::write(&report, &mut json).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["leads"][0]["sentence"], expected);
    let tagged: Vec<(String, bool)> = json["tagged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["address"].as_str().unwrap().to_owned(), row["passed"].as_bool().unwrap()))
        .collect();
    assert_eq!(tagged, [(address("thief"), true), (deposit, false)]);
}

#[test]
fn a_place_that_one_rule_misses_is_told_under_the_next() {
    let chain = Mini::new("pay @1: loot:0=50/victim other:0=50/alice -> 50/bob 50/shop").chain();
    let view = chain.view();
    let mut tags = Tags::default();
    tags.insert(script("shop"), Tag::new("a shop", "market", ""));
    tags.insert(script("shop"), Tag::new("another", "market", "a forum"));
    let seeds = [seed(view, "loot:0")];
    let rules = [Rule::Fifo, Rule::Haircut, Rule::Lifo];
    let traces = spec::run(view, &seeds, &rules, &stop::tagged(&tags), &Options::default());
    let report = Report::new(&traces).unwrap().tags(&tags, &[]);
    let [sentence] = &report.sentences()[..] else { panic!("{:?}", report.sentences()) };
    assert!(
        sentence
            .sentence
            .starts_with("rule haircut attributes 0.00000025 BTC (other rules: from 0 BTC to 0.00000050 BTC) to "),
        "{sentence}"
    );
    let expected = [
        "the tag being wrong, or older than a change of hands; the owner's own records decide",
        "the tag does not say since when it holds",
        "nobody said how far the source of the tag is to be trusted",
        "another source says another (market; says a forum)",
        "the convention: nothing ends there under fifo",
    ];
    assert_eq!(sentence.defeat, expected);
    assert_eq!(sentence.why, ["a source without a name says so of this very address"]);
}

#[test]
fn a_cluster_is_a_seed_by_name() {
    let chain = Mini::new("in @1: x:0=9/a -> 6/me 3/other\njoin @2: in:0 y:0=4/me2 -> 8/shop 2/me").chain();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster_seed.store");
    chain.write_to(std::fs::File::create(&file).unwrap()).unwrap();
    let store = file.to_str().unwrap();
    let seeded = |seed: &str| {
        let output = fundtrace(&[
            "trace", store, "--seed", seed, "--policy", "fifo", "--format", "json", "--owners", "spending",
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        json["manifest"]["seeds"][0].clone()
    };
    // Two addresses of one owner: what came from outside, and not the change. Nobody knows who paid `y:0`.
    let [me, me2] = ["me", "me2"].map(address);
    let given = seeded(&format!("cluster:{me}=me"));
    assert_eq!((&given["given"], &given["label"]), (&format!("cluster:{me}").into(), &"me".into()));
    let names = |given: &Value| given["outputs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let [first, second] = ["in", "y"].map(|name| OutPoint::new(txid(name), 0).to_string());
    let mut all = vec![first.clone(), second];
    all.sort();
    assert_eq!(names(&given), all);
    assert_eq!(names(&seeded(&format!("cluster:{me2}"))), all);
    assert_eq!(names(&seeded(&format!("cluster:{me2}@1-2"))), [first]);
    let refused = |seed: String, more: &[&str]| {
        let output = fundtrace(&[&["trace", store, "--seed", &seed], more].concat());
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(
        refused(format!("cluster:{me}"), &[]).contains("name the rules that make them (--owners on the command line)")
    );
    // At height 2 there is its own change and nothing else.
    let none = refused(format!("cluster:{me}@2"), &["--owners", "spending"]);
    assert!(none.contains("nothing that was supplied came to it there from others"), "{none}");
    assert!(refused("cluster:here".into(), &[]).contains("\"here\" is not an address"));
    assert!(refused(format!("cluster:{}", address("nobody")), &["--owners", "spending"]).contains("is in no cluster"));
    std::fs::remove_file(file).unwrap();
}

fn fundtrace(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(args).output().unwrap()
}

#[test]
fn a_real_deposit_ends_at_a_listed_address() {
    let Some(data) = folder() else { return };
    let input = format!("{}/fixtures/cases/hydra-deposit-2020/transactions.jsonl", env!("CARGO_MANIFEST_DIR"));
    let seed = "a81aac076d9467db56de87a5cf3ce1d4b3f3dd1bfb75e72b1b4f1034c1759929:1";
    let list = data.join("attribution_ofac/sanctioned_addresses_XBT.txt");
    let args =
        ["trace", &input, "--seed", seed, "--policy", "all", "--format", "json", "--stop-at", "sanction", "--tags"];
    let output = fundtrace(&[&args[..], &[list.to_str().unwrap()]].concat());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    for run in result["runs"].as_array().unwrap() {
        let end = run["ends"].as_array().unwrap().iter().find(|end| end["reason"] == "tagged").unwrap();
        assert_eq!((&end["tag"]["abuse"], &end["hops"]), (&Value::from("sanction"), &Value::from(1)));
        assert_eq!(end["outpoint"], "e5015b6ed1d35e511ef22ca0e52e0bb90a33943852706bcddb37956437cf68d8:0");
    }
    let lead = result["leads"][0]["sentence"].as_str().unwrap();
    assert!(lead.contains(" is tagged sanctioned address (sanction; says "), "{lead}");
}

#[test]
fn the_command_reads_files_of_every_form_and_names_them() {
    let input = format!("{}/fixtures/cases/colonial-pipeline-2021/transactions.jsonl", env!("CARGO_MANIFEST_DIR"));
    let seed = "9436dbf0435b15378f309c35754a110db880fa9bb66a062160a25533bb4a212a:0";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tag_files");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let run = |args: &[&str]| {
        let output = fundtrace(&[&["trace", &input, "--seed", seed, "--format", "json"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (serde_json::from_slice::<Value>(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (free, _) = run(&["--policy", "fifo"]);
    assert!(free["manifest"].get("tags").is_none());
    let ends = free["runs"][0]["ends"].as_array().unwrap();
    let [one, two, three] = [0, 1, 2].map(|at| ends[at]["address"].as_str().unwrap().to_owned());
    let yaml = write(
        "pack.yaml",
        format!(
            "title: A pack\ncreator: c\nlabel: One\nsource: s\ncategory: exchange\nlastmod: 2022-01-02\nconfidence: forensic\ntags:\n- {{address: {one}, currency: BTC}}\n- {{address: x, currency: ETH}}\n"
        ),
    );
    let csv = write("table.csv", format!("address,label,category,colour\n{two},Two,user,red\n"));
    let list = write("sanctioned_XBT.txt", format!("{three}\n{three}x\n"));
    let (all, told) = run(&["--policy", "fifo,lifo", "--tags", &yaml, &csv, "--tags", &list]);
    let reason = |result: &Value, address: &str| {
        let ends = result["runs"][0]["ends"].as_array().unwrap();
        let end = ends.iter().find(|end| end["address"] == address).unwrap();
        (end["reason"].as_str().unwrap().to_owned(), end["tag"]["label"].as_str().unwrap_or_default().to_owned())
    };
    for (address, label) in [(&one, "One"), (&two, "Two"), (&three, "sanctioned address")] {
        assert_eq!(reason(&all, address), ("tagged".into(), label.into()));
    }
    assert!(told.contains("pack.yaml: tags on other chains are left out: 1 ETH"), "{told}");
    assert!(told.contains("table.csv: these columns are not read: colour"), "{told}");
    assert!(told.contains("sanctioned_XBT.txt: line 2: "), "{told}");
    let files = all["manifest"]["tags"].as_array().unwrap();
    let listed: Vec<(&str, &str, u64)> = files
        .iter()
        .map(|file| (file["name"].as_str().unwrap(), file["form"].as_str().unwrap(), file["tags"].as_u64().unwrap()))
        .collect();
    assert_eq!(listed, [("pack.yaml", "tagpack", 1), ("table.csv", "csv", 1), ("sanctioned_XBT.txt", "sanctions", 1)]);
    assert_eq!((files[0]["changed"][0].as_str(), files[0]["sha256"].as_str().unwrap().len()), (Some("2022-01-02"), 64));
    assert_eq!(all["leads"].as_array().unwrap().len(), 3);

    let (some, _) = run(&["--policy", "fifo", "--tags", &yaml, &csv, "--stop-at", "exchange, mixing_service"]);
    assert_eq!(reason(&some, &one).0, "tagged");
    assert_ne!(reason(&some, &two).0, "tagged");
    assert!(
        some["manifest"]["stop"]
            .as_str()
            .unwrap()
            .starts_with("tagged as exchange or mixing_service (2 addresses, sha256 ")
    );
    let (_, told) =
        run(&["--policy", "fifo", "--tags", &yaml, "--stop-at", "exchnage", "--write-tags", &format!("{yaml}.found")]);
    assert!(told.contains("no tag is of the category \"exchnage\""), "{told}");
    let found = std::fs::read_to_string(format!("{yaml}.found")).unwrap();
    assert!(found.starts_with("title: \"Findings of a trace\"\n") && found.ends_with("tags: []\n"), "{found}");
    assert!(some["tagged"].as_array().unwrap().iter().any(|row| row["address"] == two.as_str()));

    // A case file names its own, and the command line's own tag goes before all of them.
    let case = write(
        "case.toml",
        format!(
            "input = [{input:?}]\npolicies = [\"fifo\"]\ntag_file = [\"pack.yaml\"]\nstop_at = [\"exchange\"]\n[[seed]]\nat = \"{seed}\"\n"
        ),
    );
    let output = fundtrace(&[
        "trace",
        "--case",
        &case,
        "--format",
        "json",
        "--tag",
        &format!("{one}=Mine"),
        "--stop-at",
        "user",
    ]);
    // Whoever names an address means to stop there, whatever kinds it asks for beside.
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reason(&result, &one), ("tagged".into(), "Mine".into()));
    assert!(result["manifest"]["stop"].as_str().unwrap().starts_with("tagged as user or command_line ("));
    let result: Value =
        serde_json::from_slice(&fundtrace(&["trace", "--case", &case, "--format", "json"]).stdout).unwrap();
    assert_eq!(reason(&result, &one), ("tagged".into(), "One".into()));
    let table = fundtrace(&["trace", "--case", &case]);
    let table = String::from_utf8(table.stdout).unwrap();
    for part in [
        "tags    pack.yaml: 1 used, 1 left out, changed 2022-01-02 to 2022-01-02",
        "Leads to services\n- rule fifo attributes ",
        "  what would defeat it: ",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }

    for (name, text, expected) in [
        ("bad.yaml", "title: t\ntags:\n- address: 5\n", "bad.yaml: line 3: the tag has no label"),
        ("bad.csv", "address,note\n", "bad.csv: line 1: no column is named \"label\""),
        ("prose.txt", "what is this?", "prose.txt: the form of the tags was not recognised"),
    ] {
        let file = write(name, text.into());
        let output = fundtrace(&["trace", &input, "--seed", seed, "--tags", &file]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && error.contains(expected), "{error}");
    }
    let absent = fundtrace(&["trace", &input, "--seed", seed, "--tags", "/absent.yaml"]);
    assert_eq!(absent.status.code(), Some(1));
    std::fs::remove_dir_all(folder).unwrap();
}
