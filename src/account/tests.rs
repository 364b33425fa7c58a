//! Links in every store, and as a table.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::links::{FOR_EVER, IfLinked, LinkError, LinkSettings, Links, Written};
use super::person::Person;
use super::table::{self, LineFault, RowFault};
use super::{AccountName, Link, NameFault, Subject};
use crate::ground::time::Timestamp;
use crate::secret::{SecretBytes, SystemEntropy};
use crate::session::embedded::EmbeddedStore;
use crate::session::memory::MemoryStore;
use crate::session::seal::{SealKeys, Sealer};
use crate::session::store::{Kind, Limits, RecordStore, StoreError};

const A: &str = "https://a.example";
const B: &str = "https://b.example";

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn keys(primary: u8, accepted: &[u8]) -> SealKeys {
    let key = |byte: u8| SecretBytes::new([byte; 32]);
    SealKeys::new(Some(key(primary)), accepted.iter().map(|byte| key(*byte)).collect())
}

fn links_with(store: &Arc<dyn RecordStore>, keys: SealKeys, settings: LinkSettings) -> Links {
    Links::new(Arc::clone(store), Sealer::new(keys), settings, Arc::new(SystemEntropy))
}

fn links(store: &Arc<dyn RecordStore>) -> Links {
    links_with(store, keys(1, &[]), LinkSettings::default())
}

fn person(issuer: &str, subject: &str) -> Subject {
    Subject::parse(issuer, subject).unwrap()
}

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

async fn account_of(links: &Links, issuer: &str, subject: &str) -> Option<String> {
    let found = links.find(&person(issuer, subject), noon()).await.unwrap();
    found.map(|link| link.account.as_str().to_owned())
}

async fn all(links: &Links) -> (Vec<String>, usize) {
    let (mut found, mut unreadable, mut bucket) = (Vec::new(), 0, 0);
    while let Some(listed) = links.listed(bucket, noon()).await.unwrap() {
        found.extend(listed.links.iter().map(|link| format!("{}={}", link.subject.subject(), link.account.as_str())));
        (unreadable, bucket) = (unreadable + listed.unreadable, bucket + 1);
    }
    found.sort();
    (found, unreadable)
}

fn memory() -> Arc<dyn RecordStore> {
    Arc::new(MemoryStore::new(Limits::default()))
}

#[tokio::test]
async fn one_person_has_one_account_and_an_account_several_people() {
    let directory = tempfile::tempdir().unwrap();
    let file = EmbeddedStore::open(&directory.path().join("store"), Limits::default()).unwrap();
    for store in [memory(), Arc::new(file)] {
        let links = links(&store);
        let put = |issuer, subject, account: &'static str| {
            let (links, person, account) = (&links, person(issuer, subject), name(account));
            async move { links.put(&person, &account, IfLinked::Replace, noon()).await }
        };
        assert_eq!(account_of(&links, A, "s").await, None);
        assert_eq!(put(A, "s", "maya").await, Ok(Written::New));
        assert_eq!(put(A, "s", "maya").await, Ok(Written::Same));
        assert_eq!(put(B, "s", "noor").await, Ok(Written::New), "the same subject at another issuer is another person");
        assert_eq!(put(A, "t", "maya").await, Ok(Written::New));
        assert_eq!(
            (account_of(&links, A, "s").await, account_of(&links, B, "s").await),
            (Some("maya".into()), Some("noor".into()))
        );
        let of = |account| {
            let links = &links;
            async move {
                let found = links.of_account(&name(account), noon()).await.unwrap();
                found.iter().map(|link| link.subject.subject().to_owned()).collect::<Vec<_>>()
            }
        };
        assert_eq!(
            (of("maya").await, of("noor").await, of("Maya").await),
            (vec!["s".into(), "t".into()], vec!["s".into()], vec![])
        );
        assert_eq!(put(A, "s", "noor").await, Ok(Written::Replaced(name("maya"))));
        assert_eq!((of("maya").await, of("noor").await.len()), (vec!["t".into()], 2));
        assert_eq!(all(&links).await, (vec!["s=noor".into(), "s=noor".into(), "t=maya".into()], 0));
        assert_eq!(links.remove(&person(A, "s"), noon()).await.unwrap().unwrap().account, name("noor"));
        assert_eq!(links.remove(&person(A, "s"), noon()).await.unwrap(), None);
        assert_eq!((account_of(&links, A, "s").await, of("noor").await.len(), all(&links).await.0.len()), (None, 1, 2));
    }
}

// S14 stands on this: nobody is moved to another account by the way.
#[tokio::test]
async fn whoever_is_linked_is_not_linked_elsewhere_unasked() {
    let store = memory();
    let links = links(&store);
    let (maya, noor) = (name("maya"), name("noor"));
    let put = |account, if_linked| links.put(&SAME, account, if_linked, noon());
    static SAME: std::sync::LazyLock<Subject> = std::sync::LazyLock::new(|| person(A, "s"));
    assert_eq!(put(&maya, IfLinked::Refuse).await, Ok(Written::New));
    assert_eq!(put(&maya, IfLinked::Refuse).await, Ok(Written::Same));
    assert_eq!(put(&noor, IfLinked::Refuse).await, Err(LinkError::OtherAccount));
    assert_eq!(account_of(&links, A, "s").await.as_deref(), Some("maya"));
    assert_eq!(put(&noor, IfLinked::Replace).await, Ok(Written::Replaced(maya)), "the twin");
}

#[tokio::test]
async fn of_many_who_link_one_person_one_is_the_first() {
    let store = memory();
    // Two gateways of one store.
    let (one, other) = (links(&store), links(&store));
    let person = person(A, "s");
    let puts = (0..20).map(|n| {
        let links = if n % 2 == 0 { &one } else { &other };
        let (person, account) = (&person, name(&format!("account-{n}")));
        async move { links.put(person, &account, IfLinked::Refuse, noon()).await }
    });
    let outcomes = futures_util::future::join_all(puts).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(Written::New)).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Written::New) | Err(LinkError::OtherAccount))));
    assert_eq!(all(&one).await.0.len(), 1);
}

#[tokio::test]
async fn an_account_has_no_more_people_than_it_may() {
    let store = memory();
    let links = links_with(&store, keys(1, &[]), LinkSettings { subjects_per_account: 2, ..LinkSettings::default() });
    let put = |subject: String| {
        let links = &links;
        async move { links.put(&person(A, &subject), &name("maya"), IfLinked::Replace, noon()).await }
    };
    let outcomes = futures_util::future::join_all((0..9).map(|n| put(n.to_string()))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert!(outcomes.contains(&Err(LinkError::TooMany)));
    assert_eq!(links.of_account(&name("maya"), noon()).await.unwrap().len(), 2);
    links.remove(&links.of_account(&name("maya"), noon()).await.unwrap()[0].subject, noon()).await.unwrap();
    assert_eq!(put("new".to_owned()).await, Ok(Written::New), "the twin: a place became free");
}

#[tokio::test]
async fn a_full_store_loses_no_link() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { links: 2, ..Limits::default() };
    let file = EmbeddedStore::open(&directory.path().join("store"), limits).unwrap();
    let memory: Arc<dyn RecordStore> = Arc::new(MemoryStore::new(limits));
    for store in [memory, Arc::new(file)] {
        let links = links(&store);
        for (subject, if_linked) in [("a", IfLinked::Refuse), ("b", IfLinked::Replace)] {
            links.put(&person(A, subject), &name(subject), if_linked, noon()).await.unwrap();
        }
        for if_linked in [IfLinked::Refuse, IfLinked::Replace] {
            let put = links.put(&person(A, "c"), &name("c"), if_linked, noon()).await;
            assert_eq!(put, Err(LinkError::Store(StoreError::Full)), "{if_linked:?}");
        }
        assert_eq!(all(&links).await, (vec!["a=a".into(), "b=b".into()], 0));
        links.remove(&person(A, "a"), noon()).await.unwrap();
        assert_eq!(
            links.put(&person(A, "c"), &name("c"), IfLinked::Refuse, noon()).await,
            Ok(Written::New),
            "the twin"
        );
    }
}

// TM7: whoever writes to the store links nobody, and cannot read who is.
#[tokio::test]
async fn a_record_that_was_moved_or_made_up_is_no_link() {
    let store = memory();
    let ours = links(&store);
    let (maya, noor) = (person(A, "maya"), person(A, "noor"));
    ours.put(&maya, &name("boss"), IfLinked::Replace, noon()).await.unwrap();
    let place = |who: &Subject| super::index::Index::new(Sealer::new(keys(1, &[]))).names_of(who).next().unwrap();
    let honest = store.get(Kind::Link, place(&maya), noon()).await.unwrap().unwrap();
    assert!(!honest.windows(4).any(|window| window == b"boss" || window == b"maya"));
    // Another deployment, that writes to this store.
    let stranger = links_with(&store, keys(9, &[]), LinkSettings::default());
    assert_eq!(account_of(&stranger, A, "maya").await, None);
    stranger.put(&noor, &name("boss"), IfLinked::Replace, noon()).await.unwrap();
    assert_eq!(account_of(&ours, A, "noor").await, None);
    let link = |who: &Subject| {
        Person::from(&Link { subject: who.clone(), account: name("boss"), since: Timestamp::of(noon()) })
    };
    let foreign = super::index::Index::new(Sealer::new(keys(9, &[]))).seal(place(&noor), &link(&noor), &SystemEntropy);
    let another_kind = Sealer::new(keys(1, &[])).seal(Kind::Keys, place(&noor), &[0; 32], b"{}", &SystemEntropy);
    for planted in [honest.clone(), foreign, another_kind, b"{}".to_vec(), Vec::new()] {
        store.put(Kind::Link, place(&noor), &planted, FOR_EVER, noon()).await.unwrap();
        assert_eq!(account_of(&ours, A, "noor").await, None);
    }
    assert_eq!(account_of(&ours, A, "maya").await.as_deref(), Some("boss"), "the twin");
}

#[tokio::test]
async fn a_link_is_found_under_an_earlier_key_and_moves_to_the_new_one_when_it_is_written() {
    let store = memory();
    links(&store).put(&person(A, "s"), &name("maya"), IfLinked::Replace, noon()).await.unwrap();
    let rotated = links_with(&store, keys(2, &[1]), LinkSettings::default());
    assert_eq!(account_of(&rotated, A, "s").await.as_deref(), Some("maya"));
    assert_eq!(rotated.of_account(&name("maya"), noon()).await.unwrap().len(), 1);
    let without = || links_with(&store, keys(2, &[]), LinkSettings::default());
    assert_eq!((account_of(&without(), A, "s").await, all(&without()).await), (None, (vec![], 1)), "its key is gone");
    assert_eq!(rotated.put(&person(A, "s"), &name("maya"), IfLinked::Refuse, noon()).await, Ok(Written::Same));
    assert_eq!((account_of(&without(), A, "s").await.as_deref(), all(&without()).await.1), (Some("maya"), 0));
    assert_eq!(all(&rotated).await.0.len(), 1, "once");
    rotated.remove(&person(A, "s"), noon()).await.unwrap();
    assert_eq!(account_of(&links(&store), A, "s").await, None, "under no key");
}

#[tokio::test]
async fn a_link_lives_for_its_lifetime() {
    let store = memory();
    let hour = Duration::from_secs(3600);
    let links = links_with(&store, keys(1, &[]), LinkSettings { keep: hour, ..LinkSettings::default() });
    let at = |after| links.find(&SOMEBODY, noon() + after);
    static SOMEBODY: std::sync::LazyLock<Subject> = std::sync::LazyLock::new(|| person(A, "s"));
    links.put(&SOMEBODY, &name("maya"), IfLinked::Replace, noon()).await.unwrap();
    assert!(at(hour - Duration::from_millis(1)).await.unwrap().is_some());
    assert!(at(hour).await.unwrap().is_none());
    store.sweep(noon() + hour).await.unwrap();
    assert!(at(Duration::ZERO).await.unwrap().is_none());
    // The twin, and the default.
    let links = links_with(&store, keys(1, &[]), LinkSettings::default());
    links.put(&SOMEBODY, &name("maya"), IfLinked::Replace, noon()).await.unwrap();
    let later = noon() + Duration::from_secs(50 * 365 * 24 * 3600);
    store.sweep(later).await.unwrap();
    assert!(links.find(&SOMEBODY, later).await.unwrap().is_some());
}

#[test]
fn names_are_what_can_come_back_as_they_were() {
    for bad in ["", " ", " maya", "maya ", "ma\nya", "ma\u{0}ya", "\u{85}maya", &"x".repeat(256)] {
        assert_eq!(AccountName::parse(bad), Err(NameFault::Account), "{bad:?}");
    }
    for good in ["maya", "Åsa Öberg", "a,b", "\"q\"", "#1", &"x".repeat(255)] {
        assert_eq!(AccountName::parse(good).unwrap().as_str(), good);
    }
    for (issuer, subject, fault) in [
        ("", "s", NameFault::Issuer),
        ("https://a b", "s", NameFault::Issuer),
        (A, "", NameFault::Subject),
        (A, "a\tb", NameFault::Subject),
        (A, &"x".repeat(256), NameFault::Subject),
    ] {
        assert_eq!(Subject::parse(issuer, subject), Err(fault));
    }
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let names = ["maya", "a,b", "say \"hi\"", "#1", "Åsa", "=1+1", "o'neil"];
    let link = |n: usize, account: &str| Link {
        subject: person(A, &format!("#{n},\"x\"")),
        account: name(account),
        since: Timestamp::default(),
    };
    let links: Vec<_> = names.iter().enumerate().map(|(n, account)| link(n, account)).collect();
    let text = [table::head(false).as_bytes(), &table::write(&links), b"# 7 links\n"].concat();
    let rows = table::read(&text, |issuer| issuer == A).unwrap();
    let read: Vec<_> = rows.iter().map(|row| (row.line, row.person.link().unwrap())).collect();
    let wanted: Vec<_> = (2..).zip(links).collect();
    assert_eq!(read, wanted);
}

#[test]
fn every_fault_of_a_table_is_told_with_its_line() {
    let read = |text: &[u8]| table::read(text, |issuer| issuer == A);
    let faults = |text: &[u8]| read(text).unwrap_err();
    let text = "\u{feff}issuer,subject,account\r\n\
                https://a.example,one,maya\r\n\
                https://a.example,two\r\n\
                https://a.example,three,ma\u{7}ya\r\n\
                # a remark\r\n\
                https://a.example/,four,maya\r\n\
                \r\n\
                https://a.example,one,noor\r\n\
                ,five,maya\r\n\
                https://a.example,six,maya,more\r\n";
    let wanted = [
        (3, RowFault::Fields),
        (4, RowFault::Name(NameFault::Account)),
        (6, RowFault::UnknownIssuer),
        (8, RowFault::Repeated(2)),
        (9, RowFault::Name(NameFault::Issuer)),
        (10, RowFault::Fields),
    ];
    let wanted: Vec<_> = wanted.into_iter().map(|(line, why)| LineFault { line, why }).collect();
    assert_eq!(faults(text.as_bytes()), wanted);
    for (text, line, why) in [
        (&b""[..], 1, RowFault::Head),
        (b"https://a.example,one,maya\n", 1, RowFault::Head),
        (b"subject,issuer,account\n", 1, RowFault::Head),
        (b"issuer,subject,account\nhttps://a.example,\xff,maya\n", 2, RowFault::NotText),
        (b"issuer,subject,account\n\"https://a.example,one,maya\n", 2, RowFault::Fields),
    ] {
        assert_eq!(faults(text), [LineFault { line, why }], "{}", String::from_utf8_lossy(text));
    }
    // The twin: the one line that was right, alone.
    let rows = read(b"issuer,subject,account\nhttps://a.example,one,maya\n").unwrap();
    assert_eq!((rows.len(), rows[0].line), (1, 2));
    assert_eq!(read(b"issuer,subject,account\n").unwrap(), []);
}
