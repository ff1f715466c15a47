//! Block files and the writer: real chains, and random ones made of real blocks' parts against the twin that goes through
//! `bitcoin` and [`Writer::block`].

use std::io::Read;
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::absolute::LockTime;
use fundtrace::bitcoin::block::{Header, Version as BlockVersion};
use fundtrace::bitcoin::blockdata::constants::genesis_block;
use fundtrace::bitcoin::consensus::{deserialize, serialize};
use fundtrace::bitcoin::p2p::Magic;
use fundtrace::bitcoin::transaction::Version;
use fundtrace::bitcoin::{
    Amount, Block, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
};
use fundtrace::chain::{NewTx, ScriptType, Writer};
use fundtrace::source::blk::Blocks;
use fundtrace::{BlockHeight, Chain, ChainBuilder};
use proptest::prelude::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btc_regtest_core31")
}

pub fn data(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("FUNDTRACE_DATA") else {
        println!("skipped: FUNDTRACE_DATA is not set");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

pub fn unpack(path: &Path) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "zst") {
        return file;
    }
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file.as_slice()).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A folder of a test's own, gone when the test ends.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("blocks-{name}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `index` does, in memory.
pub fn indexed(blocks: &Blocks, network: Network) -> Chain {
    let mut writer = Writer::new(network, &std::env::temp_dir());
    blocks.write_to(&mut writer, |_| ()).unwrap();
    written(writer)
}

fn written(writer: Writer) -> Chain {
    let mut bytes = Vec::new();
    writer.finish().unwrap().write_to(&mut bytes).unwrap();
    let chain = Chain::from_bytes(bytes).unwrap();
    chain.verify().unwrap();
    chain
}

/// The same by way of records and the builder; it knows of no stale blocks, which stand at one place in the header.
fn frozen(blocks: &Blocks, network: Network) -> Chain {
    let mut builder = ChainBuilder::new().network(network).complete(BlockHeight::default(), blocks.tip().unwrap().0);
    blocks.txs().for_each(|tx| builder.insert(tx.unwrap()).unwrap());
    builder.finish().unwrap()
}

/// Store bytes but for the count of stale blocks and the hash that covers it.
fn apart_from_stale(chain: &Chain) -> Vec<u8> {
    let mut bytes = chain.as_bytes().to_vec();
    let columns = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
    let listed = 64 + 80 * usize::try_from(columns).unwrap();
    bytes[52..56].fill(0);
    bytes[listed..listed + 32].fill(0);
    bytes
}

#[test]
fn core_regtest_chain() {
    let blocks = Blocks::open(&[fixture()], Network::Regtest).unwrap();
    let chain = indexed(&blocks, Network::Regtest);
    let summary = chain.summary();
    assert_eq!((summary.blocks, summary.stale_blocks, summary.txs), (228, Some(2), 537));
    assert_eq!((summary.inputs, summary.outputs, summary.fees_sat), (434, 1180, 1_375_218));
    assert_eq!((summary.unspent_outputs, summary.unspent_sat), (517, 940_000_000_000));
    let tip = "7d957e4d27271b1ee97938bd7a1789ddc480c4dc13ac54b3ad9f7f1282e3c1da";
    assert_eq!(summary.tip_hash.unwrap().to_string(), tip);
    // Core's own count of what inputs spend.
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture().join("manifest.json")).unwrap()).unwrap();
    let mut spent = std::collections::BTreeMap::<&str, u64>::new();
    for input in chain.view().txs().flat_map(|tx| tx.inputs()) {
        let name = match input.script_type() {
            None => continue,
            Some(ScriptType::P2pk) => "pubkey",
            Some(ScriptType::P2pkh) => "pubkeyhash",
            Some(ScriptType::P2sh) => "scripthash",
            Some(ScriptType::P2wpkh) => "witness_v0_keyhash",
            Some(ScriptType::P2wsh) => "witness_v0_scripthash",
            Some(ScriptType::P2tr) => "witness_v1_taproot",
            Some(ScriptType::Multisig) => "multisig",
            other => panic!("{other:?}"),
        };
        *spent.entry(name).or_default() += 1;
        // A redeem script is shown by every P2SH spend, and only there.
        assert_eq!(input.redeem_type().is_some(), input.script_type() == Some(ScriptType::P2sh));
    }
    assert_eq!(serde_json::to_value(spent).unwrap(), manifest["stats"]["input_prevout_types"]);
    let bare = chain.view().txs().flat_map(|tx| tx.outputs()).find(|o| o.script_type() == Some(ScriptType::Multisig));
    assert!(bare.unwrap().script().unwrap().is_multisig());
    assert_eq!(chain.view().outputs_to(bare.unwrap().script().unwrap()).len(), 1);
    assert_eq!(apart_from_stale(&chain), apart_from_stale(&frozen(&blocks, Network::Regtest)));
    assert_eq!(chain.digest(), frozen(&blocks, Network::Regtest).digest());
}

#[test]
fn mainnet_from_genesis() {
    let Some(path) = data("btc_mainnet_0_4312/blk00000_0-4312.dat.zst") else { return };
    let folder = Folder::new("mainnet");
    std::fs::write(folder.0.join("blk00000.dat"), unpack(&path)).unwrap();
    let blocks = Blocks::open(&[&folder.0], Network::Bitcoin).unwrap();
    let chain = indexed(&blocks, Network::Bitcoin);
    let summary = chain.summary();
    assert_eq!((summary.blocks, summary.txs, summary.inputs, summary.outputs), (4313, 4371, 247, 4397));
    assert_eq!((summary.fees_sat, summary.stale_blocks), (201_000_000, Some(0)));
    assert_eq!(apart_from_stale(&chain), apart_from_stale(&frozen(&blocks, Network::Bitcoin)));
}

#[test]
fn testnet_totals_of_the_reference() {
    let Some(path) = data("btc_testnet3_0_4000/dev_blk_testnet3_0-451.dat.zst") else { return };
    let folder = Folder::new("testnet");
    std::fs::write(folder.0.join("blk00000.dat"), unpack(&path)).unwrap();
    let chain = indexed(&Blocks::open(&[&folder.0], Network::Testnet).unwrap(), Network::Testnet);
    let file = std::fs::read(data("reference/dev_btc_testnet3_0_451.json").unwrap()).unwrap();
    let reference: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let (basic, summary) = (&reference["basic"], chain.summary());
    for (key, ours) in [
        ("blocks", summary.blocks),
        ("txs", summary.txs),
        ("inputs", summary.inputs),
        ("outputs", summary.outputs),
        ("entities", summary.addresses),
        ("total_fees_sat", summary.fees_sat),
        // Theirs are outputs less inputs, and so count the genesis block's.
        ("unspent_outputs", summary.unspent_outputs + 1),
        ("unspent_value_sat", summary.unspent_sat + 5_000_000_000),
    ] {
        assert_eq!(basic[key], ours, "{key}");
    }
}

#[test]
fn the_branch_with_more_work() {
    let Some(folder) = data("btc_reorg_btcd") else { return };
    let blocks = Blocks::open(&[folder], Network::Bitcoin).unwrap();
    assert_eq!((blocks.len(), blocks.stale()), (6, 2));
    let chain = indexed(&blocks, Network::Bitcoin);
    assert_eq!(chain.summary().tip_height, Some(BlockHeight::from_u32(5)));
}

#[test]
fn real_blocks_of_every_era_have_the_txids_of_bitcoin() {
    let mut blocks = 0;
    for folder in ["btc_mainnet_blocks", "btc_blocks_with_prevouts"] {
        let Some(folder) = data(folder) else { return };
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".blk") && !name.ends_with(".blk.zst") {
                continue;
            }
            let bytes = unpack(&path);
            let block: Block = deserialize(&bytes).unwrap();
            let theirs: Vec<_> = block.txdata.iter().map(Transaction::compute_txid).collect();
            assert_eq!(fundtrace::source::blk::txids(&bytes).unwrap(), theirs, "{name}");
            assert!(fundtrace::source::blk::txids(&bytes[..bytes.len() - 1]).unwrap_err().is_parse());
            blocks += 1;
        }
    }
    assert_eq!(blocks, 44);
}

/// The parts of a row of a CSV file without quotes.
fn row(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

#[test]
fn fees_and_coinbases_of_blocks_with_prevouts() {
    let Some(folder) = data("btc_blocks_with_prevouts") else { return };
    let either = |name: String| {
        let plain = folder.join(&name);
        if plain.exists() { plain } else { folder.join(name + ".zst") }
    };
    let summary = std::fs::read_to_string(folder.join("summary.csv")).unwrap();
    for line in summary.lines().skip(1) {
        let fields = row(line);
        let block: Block = deserialize(&unpack(&either(format!("{}.blk", fields[0])))).unwrap();
        let prevouts = String::from_utf8(unpack(&either(format!("{}.prevouts.csv", fields[0])))).unwrap();
        let mut prevouts = prevouts.lines().skip(1).map(|line| {
            let fields = row(line);
            TxOut {
                value: Amount::from_sat(fields[4].parse().unwrap()),
                script_pubkey: ScriptBuf::from_hex(fields[5]).unwrap(),
            }
        });
        let network = if fields[0].starts_with("main") { Network::Bitcoin } else { Network::Testnet };
        let height = BlockHeight::from_u32(fields[1].parse().unwrap());
        let mut builder = ChainBuilder::new().network(network);
        for (position, tx) in (0..).zip(&block.txdata) {
            let mut record = NewTx::from_transaction(tx).height(height).position(position);
            if !tx.is_coinbase() {
                record = record.prevouts((0..tx.input.len()).map(|_| prevouts.next()).collect::<Vec<_>>());
            }
            builder.insert(record).unwrap();
        }
        let chain = builder.finish().unwrap();
        chain.verify().unwrap();
        let sat = |at: usize| fields[at].parse::<u64>().unwrap();
        let (view, fees) = (chain.view(), chain.summary().fees_sat);
        assert_eq!((fees, chain.summary().inputs), (sat(9), sat(4)), "{}", fields[0]);
        let coinbase = view.block(height).next().unwrap().output_value().unwrap().to_sat();
        assert_eq!((coinbase, sat(11) + fees - coinbase), (sat(10), sat(12)), "{}", fields[0]);
    }
}

/// A block that meets the target of the regression test network.
fn mine(prev: &Header, txdata: Vec<Transaction>) -> Block {
    let header = Header {
        version: BlockVersion::TWO,
        prev_blockhash: prev.block_hash(),
        merkle_root: genesis_block(Network::Regtest).header.merkle_root,
        time: prev.time + 600,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    block
}

fn script(kind: u8, seed: u8) -> ScriptBuf {
    let program = |op: u8, length: u8| [vec![op, length], vec![seed % 7; usize::from(length)]].concat();
    let key = |first: u8, length: usize| [vec![first], vec![seed % 5; length - 1]].concat();
    ScriptBuf::from_bytes(match kind % 10 {
        0 => [vec![0x76, 0xa9, 20], vec![seed % 7; 20], vec![0x88, 0xac]].concat(),
        1 => [vec![0xa9, 20], vec![seed % 7; 20], vec![0x87]].concat(),
        2 => program(0, 20),
        3 => program(0, 32),
        4 => program(0x51, 32),
        5 => program(0x52, 2 + seed % 39),
        6 => [vec![0x6a, 2], vec![seed; 2]].concat(),
        7 => [vec![33], key(2, 33), vec![0xac]].concat(),
        8 => [vec![0x51, 33], key(3, 33), vec![0x51, 0xae]].concat(),
        _ => vec![0x51; if seed.is_multiple_of(16) { 10_001 } else { usize::from(seed % 9) }],
    })
}

/// What a random chain is made of: for each block, for each transaction, bytes to choose by.
type Recipe = Vec<Vec<[u8; 8]>>;

/// Goes on with a chain: each transaction spends outputs that can be spent, of its own block too.
fn grow(chain: &mut Vec<Block>, recipe: &Recipe) {
    let mut coins: Vec<(OutPoint, Amount)> = Vec::new();
    let mut spent = std::collections::HashSet::new();
    for (height, block) in chain.iter().enumerate() {
        for tx in &block.txdata {
            spent.extend(tx.input.iter().map(|input| input.previous_output));
            let unspendable = |script: &ScriptBuf| script.is_op_return() || script.len() > 10_000;
            let outputs = (0..).zip(&tx.output).filter(|(_, output)| height > 0 && !unspendable(&output.script_pubkey));
            coins.extend(outputs.map(|(vout, output)| (OutPoint::new(tx.compute_txid(), vout), output.value)));
        }
    }
    coins.retain(|(outpoint, _)| !spent.contains(outpoint));
    for txs in recipe {
        let height = i64::try_from(chain.len()).unwrap();
        let tag = txs.first().map_or(0, |bytes| bytes[7]);
        let text = ScriptBuf::builder().push_int(height).push_slice([tag; 3]).into_script();
        let coinbase = TxIn { script_sig: text, witness: Witness::from_slice(&[[0; 32]]), ..TxIn::default() };
        let reward = TxOut { value: Amount::from_sat(1_000_000), script_pubkey: script(tag, tag) };
        let mut all = vec![Transaction {
            version: Version(1),
            lock_time: LockTime::ZERO,
            input: vec![coinbase],
            output: vec![reward],
        }];
        for bytes in txs {
            let mut input = Vec::new();
            let mut value = 0;
            for n in 0..=(bytes[0] % 3) {
                if coins.is_empty() {
                    break;
                }
                let (outpoint, sat) = coins.swap_remove((usize::from(bytes[1]) + usize::from(n)) % coins.len());
                value += sat.to_sat();
                let items = vec![vec![bytes[2]; usize::from(bytes[3] % 40)]; usize::from(bytes[4] % 4)];
                let script_sig = ScriptBuf::from_bytes([vec![1, bytes[2]], vec![0x51; usize::from(n)]].concat());
                let script_sig = if bytes[3] % 2 == 0 { script_sig } else { ScriptBuf::new() };
                let sequence = Sequence([u32::MAX, 0xffff_fffe, 0xffff_fffd, 7][usize::from(bytes[5] % 4)]);
                input.push(TxIn {
                    previous_output: outpoint,
                    script_sig,
                    sequence,
                    witness: Witness::from_slice(&items),
                });
            }
            if input.is_empty() {
                continue;
            }
            let outputs = u64::from(bytes[6] % 4) + 1;
            let output = (0..outputs)
                .map(|n| {
                    let byte = bytes[7].wrapping_add(n.to_le_bytes()[0]);
                    TxOut { value: Amount::from_sat(value / outputs), script_pubkey: script(byte, bytes[1] ^ byte) }
                })
                .collect();
            let lock_time = LockTime::from_consensus(u32::from(bytes[5]));
            let tx = Transaction { version: Version(i32::from(bytes[4]) - 2), lock_time, input, output };
            let unspendable = |script: &ScriptBuf| script.is_op_return() || script.len() > 10_000;
            let made = (0..).zip(&tx.output).filter(|(_, output)| !unspendable(&output.script_pubkey));
            coins.extend(made.map(|(vout, output)| (OutPoint::new(tx.compute_txid(), vout), output.value)));
            all.push(tx);
        }
        let block = mine(&chain.last().unwrap().header, all);
        chain.push(block);
    }
}

/// Writes block files: `order` deals the blocks to two files, and each ends in zeros that no key touches.
fn write_files(folder: &Path, blocks: &[&Block], key: [u8; 8]) {
    for number in 0..2 {
        let mut bytes = Vec::new();
        for block in blocks.iter().skip(number).step_by(2) {
            let body = serialize(*block);
            bytes.extend(Magic::REGTEST.to_bytes());
            bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
            bytes.extend(body);
        }
        bytes.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        bytes.extend([0; 5000]);
        std::fs::write(folder.join(format!("blk{number:05}.dat")), bytes).unwrap();
    }
    std::fs::write(folder.join("xor.dat"), key).unwrap();
}

fn by_records(blocks: &[Block]) -> Writer {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    for (height, block) in (0..).zip(blocks) {
        let record = |tx| NewTx::from_transaction(tx).weight(u32::try_from(tx.weight().to_wu()).unwrap());
        writer.block(BlockHeight::from_u32(height), block.header, block.txdata.iter().map(record)).unwrap();
    }
    writer
}

fn recipe() -> impl Strategy<Value = Recipe> {
    prop::collection::vec(prop::collection::vec(any::<[u8; 8]>(), 0..6), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Decoded without a copy, in any order, XORed, beside a shorter branch: the same store as through `bitcoin` in order; and one
    /// that is continued, or rolled back and continued, is the same too.
    #[test]
    fn files_in_any_order_give_the_store_of_the_records(
        common in recipe(), long in recipe(), short in recipe(), key in any::<[u8; 8]>(), turn in 0_usize..20, cut in 0_u32..8,
    ) {
        let folder = Folder::new("random");
        let mut trunk = vec![genesis_block(Network::Regtest)];
        grow(&mut trunk, &common);
        let (mut active, mut stale) = (trunk.clone(), trunk.clone());
        grow(&mut active, &long);
        grow(&mut active, &vec![vec![[9; 8]]; (short.len() + 1).saturating_sub(long.len())]);
        grow(&mut stale, &short);
        let apart = &stale[trunk.len()..];
        let mut all: Vec<&Block> = active.iter().chain(apart).collect();
        let turn = turn % all.len();
        all.rotate_left(turn);
        write_files(&folder.0, &all, key);

        let mut expected = by_records(&active);
        let same = apart.iter().take_while(|block| active.contains(block)).count();
        let count = u32::try_from(apart.len() - same).unwrap();
        expected.stale(count);
        let expected = written(expected);
        let blocks = Blocks::open(&[&folder.0], Network::Regtest).unwrap();
        prop_assert_eq!(blocks.stale(), count);
        let chain = indexed(&blocks, Network::Regtest);
        prop_assert_eq!(chain.as_bytes(), expected.as_bytes());
        prop_assert_eq!(apart_from_stale(&frozen(&blocks, Network::Regtest)), apart_from_stale(&chain));

        // From a store of the beginning, and from one of the branch that lost.
        for stored in [&active[..=usize::try_from(cut).unwrap().min(active.len() - 1)], &stale[..]] {
            let stored = written(by_records(stored));
            let blocks = Blocks::beyond(&[&folder.0], &stored, false).unwrap();
            let mut writer = Writer::resume(&stored, blocks.fork().unwrap(), &std::env::temp_dir()).unwrap();
            blocks.write_to(&mut writer, |_| ()).unwrap();
            let continued = written(writer);
            prop_assert_eq!(apart_from_stale(&continued), apart_from_stale(&expected));
        }
    }
}

#[test]
fn mistakes_say_what_to_do() {
    let folder = Folder::new("mistakes");
    let mut chain = vec![genesis_block(Network::Regtest)];
    grow(&mut chain, &vec![vec![[1; 8]]; 6]);
    let open = || Blocks::open(&[&folder.0], Network::Regtest);
    let says = |text: &str| {
        let error = open().unwrap_err();
        assert!(error.is_parse() && error.to_string().contains(text), "{error}");
    };
    says("no blk*.dat");
    let all: Vec<&Block> = chain.iter().collect();
    write_files(&folder.0, &all, [7; 8]);
    std::fs::remove_file(folder.0.join("xor.dat")).unwrap();
    says("put the node's blocks/xor.dat beside it");
    std::fs::write(folder.0.join("xor.dat"), [1, 2]).unwrap();
    says("xor.dat has 2 bytes");
    std::fs::write(folder.0.join("xor.dat"), [8; 8]).unwrap();
    says("of different nodes");
    write_files(&folder.0, &all, [0; 8]);
    std::fs::write(folder.0.join("xor.dat"), [8; 8]).unwrap();
    says("is not XORed");
    // Every other block is in the second file.
    write_files(&folder.0, &all, [0; 8]);
    let second = folder.0.join("blk00001.dat");
    let whole = std::fs::read(&second).unwrap();
    std::fs::remove_file(&second).unwrap();
    says("a block file is missing");
    let below = Blocks::open_to_gap(&[&folder.0], Network::Regtest).unwrap();
    assert_eq!((below.len(), below.ignored().len()), (1, 1));
    let wrong = Blocks::open(&[&folder.0], Network::Signet).unwrap_err();
    assert!(wrong.to_string().contains("--network regtest"), "{wrong}");
    // A transaction that was altered, and a block that is still being written.
    let mut altered = whole.clone();
    altered[8 + 80 + 60] ^= 1;
    std::fs::write(&second, altered).unwrap();
    let blocks = open().unwrap();
    let mut writer = Writer::new(Network::Regtest, &folder.0);
    let error = blocks.write_to(&mut writer, |_| ()).unwrap_err();
    assert!(error.is_parse() && error.to_string().contains("blk00001.dat offset 8"), "{error}");
    assert!(blocks.txs().any(|tx| tx.is_err_and(|error| error.is_parse())));
    let first = folder.0.join("blk00000.dat");
    let bytes = std::fs::read(&first).unwrap();
    std::fs::write(&second, &whole).unwrap();
    std::fs::write(&first, &bytes[..bytes.len() - 5010]).unwrap();
    assert_eq!(open().unwrap().len(), chain.len() - 1);
}

/// No transaction may spend a coinbase of its own block; one of the block before is not ripe and is taken all the same.
#[test]
fn a_coinbase_is_not_spent_in_its_own_block() {
    let folder = Folder::new("own-coinbase");
    let mut chain = vec![genesis_block(Network::Regtest)];
    grow(&mut chain, &vec![vec![], vec![]]);
    let (coinbase, own) = (chain[1].txdata[0].compute_txid(), chain[2].txdata[0].compute_txid());
    let input = |txid| TxIn { previous_output: OutPoint::new(txid, 0), ..TxIn::default() };
    let spender = |txids: &[_]| Transaction {
        version: Version(1),
        lock_time: LockTime::ZERO,
        input: txids.iter().map(|txid| input(*txid)).collect(),
        output: vec![TxOut { value: Amount::from_sat(1_000_000), script_pubkey: script(2, 1) }],
    };
    for (spent, is_right) in [(vec![coinbase], true), (vec![coinbase, own], false), (vec![own], false)] {
        let tx = spender(&spent);
        let block = mine(&chain[1].header, vec![chain[2].txdata[0].clone(), tx.clone()]);
        write_files(&folder.0, &[&chain[0], &chain[1], &block], [0; 8]);
        let blocks = Blocks::open(&[&folder.0], Network::Regtest).unwrap();
        let mut files = Writer::new(Network::Regtest, &folder.0);
        let mut records = by_records(&chain[..2]);
        let txs = block.txdata.iter().map(NewTx::from_transaction);
        let both = [blocks.write_to(&mut files, |_| ()), records.block(BlockHeight::from_u32(2), block.header, txs)];
        for done in both {
            assert_eq!(done.is_ok(), is_right);
            let Err(error) = done else { continue };
            let what = format!("{} is given at height 2, but as it spends {own} it cannot", tx.compute_txid());
            assert!(error.is_contradiction() && error.to_string().contains(&what), "{error}");
        }
    }
}
