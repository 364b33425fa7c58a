//! Records in Redis (6.2 or later), shared by any number of gateways.
//!
//! One multiplexed connection carries everything; Redis answers in the order of questions, and a question costs one
//! round trip. The connection is made when it is first needed, so the gateway starts while Redis is away (security.md
//! P08). A connection that turns out to be dead is replaced and the question asked again, within the same deadline, so
//! the first call after a restart of Redis succeeds (M11).
//!
//! Every call ends within [`RedisSettings::response_timeout`]. While Redis accepts but does not answer, one caller at a
//! time waits to find out whether it has come back; all others are told at once that it is away (M02).
//!
//! Nothing that Redis or the URL says gets into an error: the texts are ours (R04, M12).

mod fault;
mod link;
#[cfg(test)]
pub(super) mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::{Cmd, Value, cmd};

use self::fault::Fault;
pub use self::fault::RedisUrlFault;
use self::link::Link;
use super::StoreKey;
use super::store::{Kind, RecordStore, Relation, StoreError, Swap};
use crate::secret::SecretString;

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://[user[:password]@]host[:port][/db]`, `rediss://…` for TLS with certificate and name checked, or
    /// `unix:///path[?db=…&user=…&pass=…]`.
    pub url: SecretString,
    /// What the name of every key begins with. Default `zengate:`.
    pub prefix: String,
    /// How long a caller waits for an answer, connecting included. Default 250 milliseconds.
    pub response_timeout: Duration,
    /// How long one attempt to connect may take, greeting, TLS and sign-on included. It goes on when the caller that
    /// began it has given up, so it may be longer than [`RedisSettings::response_timeout`]. Default 1 second.
    pub connection_timeout: Duration,
}

impl RedisSettings {
    /// The defaults for `url`.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            prefix: "zengate:".to_owned(),
            response_timeout: Duration::from_millis(250),
            connection_timeout: Duration::from_secs(1),
        }
    }
}

/// The longest time to live that is asked for: Redis refuses times beyond what its clock can say.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Adds a member with the later of its two ends, drops what is over, gives back and drops what is too many, and lets the set
/// live as long as its last member. KEYS: the set. ARGV: member, its time to live, most members.
///
/// The time is that of Redis, as it is for records: a gateway whose clock is wrong must not drop what others added.
const ADD_MEMBER: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local pushed = {}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local over = redis.call('ZCARD', KEYS[1]) + 1 - tonumber(ARGV[3])
  if over > 0 then
    pushed = redis.call('ZRANGE', KEYS[1], 0, over - 1)
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
  end
end
redis.call('ZADD', KEYS[1], 'GT', now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return pushed";

/// The members of a set that are not over. KEYS: the set. ARGV: most members.
const MEMBERS: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, ARGV[1])";

/// Writes all records, or none if one of the places holds something else than it is said to hold. KEYS: the records. ARGV: for
/// each of them whether there is one (`1`), what it is, what it is to be, and its time to live.
const SWAP: &str = "
for i = 1, #KEYS do
  local held = redis.call('GET', KEYS[i])
  local before = ARGV[i * 4 - 3] == '1' and ARGV[i * 4 - 2] or false
  if held ~= before then return 0 end
end
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[i * 4 - 1], 'PX', ARGV[i * 4]) end
return 1";

/// A store in Redis. See the module's page.
pub struct RedisStore {
    link: Link,
    prefix: String,
    /// Whether as many keys were written as make it certain that this is no node of a cluster.
    has_all_keys: AtomicBool,
}

/// Keys that are written before a Redis counts as one that has all keys: a node of a cluster of two takes all of them once
/// in 65,536 times.
const PROBES: u8 = 16;

/// How long a probe lives.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Reads the settings. Does not connect: that happens with the first call.
    pub fn connect(settings: RedisSettings) -> Result<Self, RedisUrlFault> {
        let RedisSettings { url, prefix, response_timeout, connection_timeout } = settings;
        let link = Link::new(&url, response_timeout, connection_timeout)?;
        Ok(Self { link, prefix, has_all_keys: AtomicBool::new(false) })
    }

    /// How many values were met under our keys that were not ours (another type); each counted as no record (M13).
    pub fn foreign_values(&self) -> u64 {
        self.link.foreign_values()
    }

    fn key(&self, kind: Kind, key: StoreKey) -> String {
        format!("{}{}:{}", self.prefix, kind.as_str(), key.to_hex())
    }

    /// The name of a set. The braces keep a set in one slot of a cluster, whatever else is named after the same record.
    fn set(&self, relation: Relation, of: StoreKey) -> String {
        format!("{}{}:{{{}}}", self.prefix, relation.as_str(), of.to_hex())
    }

    /// Writes a key that says nothing: what a sign-in does, and what a replica, a full Redis or a Sentinel refuses.
    async fn probe(&self, number: u8) -> Result<(), Fault> {
        let mut question = cmd("SET");
        let millis = u64::try_from(PROBE_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        question.arg(format!("{}probe:{number}", self.prefix)).arg("").arg("PX").arg(millis);
        match self.link.ask(&question).await {
            Ok(Value::Okay) => Ok(()),
            Ok(_) => Err(Fault::Answer),
            Err(Fault::Refused) if self.is_sentinel().await => Err(Fault::Sentinel),
            Err(fault) => Err(fault),
        }
    }

    /// Whether what answers is a Sentinel. `HELLO` is allowed to every user (Redis, ACL), and says so.
    async fn is_sentinel(&self) -> bool {
        let texts = |value: &Value| match value {
            Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
            Value::SimpleString(text) => text.clone(),
            _ => String::new(),
        };
        let fields: Vec<String> = match self.link.ask(&cmd("HELLO")).await {
            Ok(Value::Array(fields)) => fields.iter().map(texts).collect(),
            Ok(Value::Map(fields)) => fields.iter().flat_map(|(name, value)| [texts(name), texts(value)]).collect(),
            _ => return false,
        };
        fields.windows(2).any(|pair| matches!(pair, [name, mode] if name == "mode" && mode == "sentinel"))
    }

    /// Asks for a value. A value of another type is none (M13).
    async fn read(&self, question: Cmd) -> Result<Option<Vec<u8>>, StoreError> {
        match self.link.ask(&question).await {
            Ok(Value::Nil) => Ok(None),
            Ok(Value::BulkString(record)) => Ok(Some(record)),
            Ok(_) => Err(Fault::Answer.into()),
            Err(Fault::WrongType) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// Time to live in milliseconds; `None` if it is over at once.
fn time_to_live(keep: Duration) -> Option<u64> {
    match u64::try_from(keep.min(LONGEST).as_millis()) {
        Ok(0) if keep.is_zero() => None,
        Ok(millis) => Some(millis.max(1)),
        Err(_) => None,
    }
}

/// The names of records in a list. What somebody else wrote there is nobody's record.
fn keys_in(answer: Value) -> Result<Vec<StoreKey>, Fault> {
    let key = |value| match value {
        Value::BulkString(text) => StoreKey::from_hex(&text),
        _ => None,
    };
    match answer {
        Value::Array(members) => Ok(members.into_iter().filter_map(key).collect()),
        _ => Err(Fault::Answer),
    }
}

#[async_trait]
impl RecordStore for RedisStore {
    async fn put(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        _now: SystemTime,
    ) -> Result<(), StoreError> {
        let Some(millis) = time_to_live(keep) else { return self.remove(kind, key).await };
        let mut question = cmd("SET");
        question.arg(self.key(kind, key)).arg(record).arg("PX").arg(millis);
        match self.link.ask(&question).await? {
            Value::Okay => Ok(()),
            _ => Err(Fault::Answer.into()),
        }
    }

    async fn get(&self, kind: Kind, key: StoreKey, _now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let mut question = cmd("GET");
        question.arg(self.key(kind, key));
        self.read(question).await
    }

    /// If the connection breaks between question and answer, the record may be gone without anybody having it: the
    /// person starts again. It is never given twice.
    async fn take(&self, kind: Kind, key: StoreKey, _now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let mut question = cmd("GETDEL");
        question.arg(self.key(kind, key));
        self.read(question).await
    }

    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError> {
        let mut question = cmd("DEL");
        question.arg(self.key(kind, key));
        match self.link.ask(&question).await? {
            Value::Int(_) => Ok(()),
            _ => Err(Fault::Answer.into()),
        }
    }

    async fn replace(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        _now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(millis) = time_to_live(keep) else {
            let mut question = cmd("DEL");
            question.arg(self.key(kind, key));
            return match self.link.ask(&question).await? {
                Value::Int(removed) => Ok(removed > 0),
                _ => Err(Fault::Answer.into()),
            };
        };
        let mut question = cmd("SET");
        question.arg(self.key(kind, key)).arg(record).arg("XX").arg("PX").arg(millis);
        match self.link.ask(&question).await? {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            _ => Err(Fault::Answer.into()),
        }
    }

    /// If the connection breaks between question and answer, the record may have been written without anybody being told:
    /// whoever asks again hears that it is there, and the person starts again. Two never hear that they wrote it.
    async fn insert(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        _now: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = self.key(kind, key);
        let Some(millis) = time_to_live(keep) else {
            let mut question = cmd("EXISTS");
            question.arg(key);
            return match self.link.ask(&question).await? {
                Value::Int(there) => Ok(there == 0),
                _ => Err(Fault::Answer.into()),
            };
        };
        let mut question = cmd("SET");
        question.arg(key).arg(record).arg("NX").arg("PX").arg(millis);
        match self.link.ask(&question).await? {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            _ => Err(Fault::Answer.into()),
        }
    }

    /// If the connection breaks between question and answer, it is asked again and hears that something else is there: whoever
    /// then looks finds what they wrote.
    async fn swap(&self, kind: Kind, swaps: &[Swap<'_>], _now: SystemTime) -> Result<bool, StoreError> {
        let mut question = cmd("EVAL");
        question.arg(SWAP).arg(swaps.len());
        for swap in swaps {
            question.arg(self.key(kind, swap.key));
        }
        for swap in swaps {
            let millis = time_to_live(swap.keep).unwrap_or(1);
            question
                .arg(u8::from(swap.before.is_some()))
                .arg(swap.before.unwrap_or_default())
                .arg(swap.after)
                .arg(millis);
        }
        match self.link.ask(&question).await? {
            Value::Int(written) => Ok(written == 1),
            _ => Err(Fault::Answer.into()),
        }
    }

    /// A sorted set: the score of a member is the end of its time, in milliseconds since 1970.
    async fn add_member(
        &self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        keep: Duration,
        _now: SystemTime,
    ) -> Result<Vec<StoreKey>, StoreError> {
        let Some(millis) = time_to_live(keep) else { return Ok(Vec::new()) };
        let mut question = cmd("EVAL");
        question.arg(ADD_MEMBER).arg(1).arg(self.set(relation, of)).arg(member.to_hex());
        question.arg(millis).arg(Relation::MOST);
        Ok(keys_in(self.link.ask(&question).await?)?)
    }

    async fn members(&self, relation: Relation, of: StoreKey, _now: SystemTime) -> Result<Vec<StoreKey>, StoreError> {
        let mut question = cmd("EVAL");
        question.arg(MEMBERS).arg(1).arg(self.set(relation, of)).arg(Relation::MOST);
        match self.link.ask(&question).await {
            Ok(answer) => Ok(keys_in(answer)?),
            Err(Fault::WrongType) => Ok(Vec::new()),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn remove_member(&self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), StoreError> {
        let mut question = cmd("ZREM");
        question.arg(self.set(relation, of)).arg(member.to_hex());
        match self.link.ask(&question).await? {
            Value::Int(_) => Ok(()),
            _ => Err(Fault::Answer.into()),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        if self.has_all_keys.load(Ordering::Relaxed) {
            return Ok(self.probe(0).await?);
        }
        try_join_all((0..PROBES).map(|number| self.probe(number))).await?;
        self.has_all_keys.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Redis drops what is over by itself.
    async fn sweep(&self, _now: SystemTime) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
