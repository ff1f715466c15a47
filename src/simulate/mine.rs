//! Plans made into blocks: keys, scripts, signatures in form only, txids, merkle roots, proof of work.

mod keys;
mod script;

use std::collections::HashSet;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::consensus::Encodable;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode,
    TxOut, Txid, Witness,
};

use self::keys::{Key, Keys};
use self::script::{Cosigners, Keyed};
use super::plan::{Lock, NO_SLOT, Plan, PlannedBlock, PlannedOutput, PlannedTx};
use super::rng::Rng;
use crate::chain::{NewTx, merkle_root};
use crate::id::{self, BlockHeight};
use crate::truth::{Account, Entity, Handover, Kind, OutputTruth, Role, Row, TxTruth};

/// The easiest proof of work there is, as regtest has it.
const BITS: u32 = 0x207f_ffff;

/// A block of a simulated chain, and what is true of it.
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::{World, WorldSpec};
/// let block = World::new(WorldSpec::new(100), 1).nth(1).unwrap();
/// assert_eq!(block.height().to_u32(), 1);
/// assert!(block.block().check_merkle_root());
/// assert_eq!(block.records().count(), block.truth().len());
/// ```
#[derive(Clone, Debug)]
pub struct Mined {
    height: BlockHeight,
    block: Block,
    txids: Vec<Txid>,
    truth: Vec<TxTruth>,
    handovers: Vec<Handover>,
    entities: Vec<Entity>,
    accounts: Vec<Account>,
}

impl Mined {
    /// Returns its height.
    pub fn height(&self) -> BlockHeight {
        self.height
    }

    /// Returns the block, as it could be sent to a node; its signatures are none.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Returns what is true of each of its transactions, in block order.
    pub fn truth(&self) -> &[TxTruth] {
        &self.truth
    }

    /// Iterates its transactions as records, as [`source::blk`](crate::source::blk) reads them from the written block.
    pub fn records(&self) -> impl Iterator<Item = NewTx> + '_ {
        let header = self.block.header;
        self.block.txdata.iter().zip(&self.txids).enumerate().map(move |(position, (tx, txid))| {
            let weight = u32::try_from(tx.weight().to_wu()).unwrap_or(u32::MAX);
            let record =
                NewTx::of(tx, *txid).height(self.height).position(id::small(position)).time(header.time).weight(weight);
            if position == 0 { record.header(header) } else { record }
        })
    }

    /// Iterates the lines of the truth file that this block adds.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let entities = self.entities.iter().cloned().map(Row::Entity);
        let accounts = self.accounts.iter().copied().map(Row::Account);
        let handovers = self.handovers.iter().copied().map(Row::Handover);
        entities.chain(accounts).chain(handovers).chain(self.truth.iter().cloned().map(Row::Tx))
    }

    fn genesis() -> Self {
        let block = genesis_block(Network::Regtest);
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let output = OutputTruth { owner: None, role: Some(Role::Coinbase), account: None, stolen: None };
        let truth = TxTruth { txid: txids[0], kind: Some(Kind::Coinbase), outputs: vec![output] };
        Self {
            height: BlockHeight::from_u32(0),
            block,
            txids,
            truth: vec![truth],
            handovers: Vec::new(),
            entities: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

/// What sits in a slot.
#[derive(Clone, Copy, Debug)]
struct Spendable {
    outpoint: OutPoint,
    keyed: Keyed,
}

/// Makes blocks of plans, one after another.
#[derive(Debug)]
pub(super) struct Miner {
    seed: u64,
    keys: Keys,
    cosigners: Box<Cosigners>,
    /// The number of the next fresh key.
    next_key: u64,
    slots: Vec<Option<Spendable>>,
    kept: Vec<Option<Keyed>>,
    height: u32,
    tip: BlockHash,
}

impl Miner {
    /// Starts with the genesis block.
    pub(super) fn new(seed: u64) -> (Self, Mined) {
        let genesis = Mined::genesis();
        let offset = Rng::new(seed, u64::MAX, 0).number();
        let services = Keys::new(!offset).from(0, 64);
        let miner = Self {
            seed,
            keys: Keys::new(offset),
            cosigners: Box::new(std::array::from_fn(|at| services[at])),
            next_key: 0,
            slots: Vec::new(),
            kept: Vec::new(),
            height: 0,
            tip: genesis.block.block_hash(),
        };
        (miner, genesis)
    }

    /// Makes the blocks of a plan. The keys that they need are computed first, on the caller's rayon pool.
    pub(super) fn mine(&mut self, plan: Plan) -> Vec<Mined> {
        let wanted = self.fresh_keys(&plan);
        let mut keys = self.keys.from(self.next_key, wanted).into_iter();
        self.next_key += id::number(wanted);
        plan.blocks.into_iter().map(|block| self.block(block, &mut keys)).collect()
    }

    /// How many keys appear for the first time.
    fn fresh_keys(&self, plan: &Plan) -> usize {
        let mut named = HashSet::new();
        let outputs = plan.blocks.iter().flat_map(|block| &block.txs).flat_map(|tx| &tx.outputs);
        let fresh = outputs.filter(|output| match output.lock {
            Lock::Fresh(_) => true,
            Lock::Kept(number, _) => !matches!(self.kept.get(id::at(number)), Some(Some(_))) && named.insert(number),
            _ => false,
        });
        fresh.count()
    }

    fn block(&mut self, planned: PlannedBlock, keys: &mut impl Iterator<Item = Key>) -> Mined {
        self.height += 1;
        let handed = planned.handovers.iter().filter_map(|handover| {
            let output = self.slots[id::at(handover.slot)]?.outpoint;
            let (to, account, stolen) = (handover.to, handover.account, handover.stolen);
            Some(Handover { output, to, height: self.height, account, stolen })
        });
        let handovers = handed.collect();
        let mut made = Made { bytes: Vec::with_capacity(1000), witnessed: vec![[0; 32]], ..Made::default() };
        let mut planned_txs = planned.txs.into_iter();
        // The coinbase commits to the witnesses of all others, so it is finished last; nobody can spend it in its own block.
        let coinbase = planned_txs.next().map(|planned| (self.transaction(&planned, 0, keys), planned));
        for (position, planned) in (1..).zip(planned_txs) {
            let (tx, locks) = self.transaction(&planned, position, keys);
            let txid = made.hash(&tx);
            self.fill(&planned, &locks, txid);
            made.push(planned, tx, txid);
        }
        if let Some(((mut tx, locks), mut planned)) = coinbase {
            tx.output.push(commitment(std::mem::take(&mut made.witnessed)));
            let data = OutputTruth { owner: None, role: Some(Role::Data), account: None, stolen: None };
            planned.outputs.push(PlannedOutput { slot: NO_SLOT, sat: 0, lock: Lock::Lost, truth: data });
            let txid = tx.compute_txid();
            self.fill(&planned, &locks, txid);
            made.push(planned, tx, txid);
            made.txids.rotate_right(1);
            made.truth.rotate_right(1);
            made.txdata.rotate_right(1);
        }
        let root = merkle_root(made.txids.iter().map(|txid| txid.to_byte_array()).collect());
        let header = self.header(planned.time, root);
        self.tip = header.block_hash();
        Mined {
            height: BlockHeight::from_u32(self.height),
            block: Block { header, txdata: made.txdata },
            txids: made.txids,
            truth: made.truth,
            handovers,
            entities: planned.entities,
            accounts: planned.accounts,
        }
    }

    /// The transaction, and the key behind each of its outputs that has one.
    fn transaction(
        &mut self,
        planned: &PlannedTx,
        position: u64,
        keys: &mut impl Iterator<Item = Key>,
    ) -> (Transaction, Vec<Option<Keyed>>) {
        let mut rng = Rng::new(self.seed, u64::from(self.height), position + (1 << 40));
        let spent: Vec<Spendable> = planned.inputs.iter().map(|input| self.spendable(input.slot)).collect();
        let mut input: Vec<TxIn> = Vec::with_capacity(spent.len().max(1));
        for (planned, spent) in planned.inputs.iter().zip(&spent) {
            let (script_sig, witness) = spent.keyed.spend(&self.cosigners, planned.low_r, &mut rng);
            input.push(TxIn {
                previous_output: spent.outpoint,
                script_sig,
                sequence: Sequence(planned.sequence),
                witness,
            });
        }
        if planned.kind == Kind::Coinbase {
            input.push(self.coinbase_input(&mut rng));
        }
        let mut locks = Vec::with_capacity(planned.outputs.len());
        let mut output = Vec::with_capacity(planned.outputs.len() + 1);
        for planned in &planned.outputs {
            let keyed = match planned.lock {
                Lock::Fresh(form) => Some(Keyed { form, key: next(keys) }),
                Lock::OfInput(vin) => Some(spent[id::at(vin)].keyed),
                Lock::Kept(number, form) => {
                    if self.kept.len() <= id::at(number) {
                        self.kept.resize(id::at(number) + 1, None);
                    }
                    Some(*self.kept[id::at(number)].get_or_insert_with(|| Keyed { form, key: next(keys) }))
                }
                Lock::Data(_) | Lock::Lost => None,
            };
            let script_pubkey = match (keyed, planned.lock) {
                (Some(keyed), _) => keyed.script(&self.cosigners),
                (None, Lock::Data(length)) => script::data(length, &mut rng),
                (None, _) => script::lost(&mut rng),
            };
            locks.push(keyed);
            output.push(TxOut { value: Amount::from_sat(planned.sat), script_pubkey });
        }
        let lock_time = LockTime::from_consensus(planned.lock_time);
        (Transaction { version: Version(planned.version), lock_time, input, output }, locks)
    }

    fn spendable(&self, slot: u32) -> Spendable {
        self.slots[id::at(slot)].expect("a plan spends what an earlier transaction of it made")
    }

    fn coinbase_input(&self, rng: &mut Rng) -> TxIn {
        let nonce = rng.number().to_le_bytes();
        let script_sig = Builder::new().push_int(i64::from(self.height)).push_slice(nonce).into_script();
        let witness = Witness::from_slice(&[[0; 32]]);
        TxIn { previous_output: OutPoint::null(), script_sig, sequence: Sequence::MAX, witness }
    }

    /// Puts the outputs into their slots.
    fn fill(&mut self, planned: &PlannedTx, locks: &[Option<Keyed>], txid: Txid) {
        for (vout, (output, keyed)) in (0..).zip(planned.outputs.iter().zip(locks)) {
            let Some(keyed) = *keyed else { continue };
            if output.slot == NO_SLOT {
                continue;
            }
            let at = id::at(output.slot);
            if self.slots.len() <= at {
                self.slots.resize(at + 1, None);
            }
            self.slots[at] = Some(Spendable { outpoint: OutPoint::new(txid, vout), keyed });
        }
    }

    /// A header with its proof of work: every other nonce will do.
    fn header(&self, time: u32, root: [u8; 32]) -> Header {
        let bits = CompactTarget::from_consensus(BITS);
        let merkle_root = TxMerkleNode::from_byte_array(root);
        let version = BlockVersion::from_consensus(0x2000_0000);
        let mut header = Header { version, prev_blockhash: self.tip, merkle_root, time, bits, nonce: 0 };
        while header.validate_pow(header.target()).is_err() {
            header.nonce += 1;
        }
        header
    }
}

fn next(keys: &mut impl Iterator<Item = Key>) -> Key {
    keys.next().expect("the keys of a plan are counted before it is mined")
}

/// The transactions of a block so far.
#[derive(Default)]
struct Made {
    txdata: Vec<Transaction>,
    txids: Vec<Txid>,
    truth: Vec<TxTruth>,
    /// The witness txids, zeros for the coinbase.
    witnessed: Vec<[u8; 32]>,
    bytes: Vec<u8>,
}

impl Made {
    fn push(&mut self, planned: PlannedTx, tx: Transaction, txid: Txid) {
        let outputs = planned.outputs.iter().map(|output| output.truth).collect();
        self.truth.push(TxTruth { txid, kind: Some(planned.kind), outputs });
        self.txids.push(txid);
        self.txdata.push(tx);
    }

    /// Hashes a transaction without its witness, and with it. Serialised once into a buffer: hashing in small pieces is slower.
    fn hash(&mut self, tx: &Transaction) -> Txid {
        let has_witness = tx.input.iter().any(|input| !input.witness.is_empty());
        let mut digest = |encode: &dyn Fn(&mut Vec<u8>)| {
            self.bytes.clear();
            encode(&mut self.bytes);
            sha256d::Hash::hash(&self.bytes)
        };
        let bare = digest(&|bytes| {
            let written = "a vector takes every byte";
            tx.version.consensus_encode(bytes).expect(written);
            tx.input.consensus_encode(bytes).expect(written);
            tx.output.consensus_encode(bytes).expect(written);
            tx.lock_time.consensus_encode(bytes).expect(written);
        });
        let whole = if has_witness {
            digest(&|bytes| {
                tx.consensus_encode(bytes).expect("a vector takes every byte");
            })
        } else {
            bare
        };
        self.witnessed.push(whole.to_byte_array());
        Txid::from_raw_hash(bare)
    }
}

/// The output by which a coinbase commits to the witnesses of its block (BIP 141).
fn commitment(witnessed: Vec<[u8; 32]>) -> TxOut {
    let mut engine = sha256d::Hash::engine();
    engine.input(&merkle_root(witnessed));
    engine.input(&[0; 32]);
    let hash = sha256d::Hash::from_engine(engine);
    let mut bytes = PushBytesBuf::new();
    let fits = "36 bytes can be pushed";
    bytes.extend_from_slice(&[0xaa, 0x21, 0xa9, 0xed]).expect(fits);
    bytes.extend_from_slice(hash.as_byte_array()).expect(fits);
    TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(bytes) }
}
