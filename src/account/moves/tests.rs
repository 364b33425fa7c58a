//! Who moves, and who does not.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::account::links::LinkSettings;
use crate::account::table;
use crate::secret::{SecretBytes, SystemEntropy};
use crate::session::embedded::EmbeddedStore;
use crate::session::memory::MemoryStore;
use crate::session::seal::{SealKeys, Sealer};
use crate::session::store::{Limits, RecordStore};

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const C: &str = "https://c.example";

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn person(issuer: &str, subject: &str) -> Subject {
    Subject::parse(issuer, subject).unwrap()
}

fn was(subjects: &[&Subject]) -> Former {
    Former { subjects: subjects.iter().map(|subject| (*subject).clone()).collect(), unproven: false }
}

fn links_with(store: &Arc<dyn RecordStore>, primary: u8, accepted: &[u8]) -> Links {
    let key = |byte: u8| SecretBytes::new([byte; 32]);
    let keys = SealKeys::new(Some(key(primary)), accepted.iter().map(|byte| key(*byte)).collect());
    let settings = LinkSettings { keeps_everybody: true, ..LinkSettings::default() };
    Links::new(Arc::clone(store), Sealer::new(keys), settings, Arc::new(SystemEntropy))
}

fn links(store: &Arc<dyn RecordStore>) -> Links {
    links_with(store, 1, &[])
}

fn memory() -> Arc<dyn RecordStore> {
    Arc::new(MemoryStore::new(Limits::default()))
}

async fn settle(links: &Links, subject: &Subject, former: &Former) -> Settlement {
    links.settle(subject, former, noon()).await.unwrap()
}

async fn account(links: &Links, subject: &Subject) -> Option<String> {
    links.find(subject, noon()).await.unwrap().map(|link| link.account.as_str().to_owned())
}

#[tokio::test]
async fn what_was_theirs_moves_and_the_old_name_is_nobodys() {
    let directory = tempfile::tempdir().unwrap();
    let file = EmbeddedStore::open(&directory.path().join("store"), Limits::default()).unwrap();
    for store in [memory(), Arc::new(file)] {
        let links = links(&store);
        let (old, new) = (person(A, "old"), person(B, "new"));
        let maya = AccountName::parse("maya").unwrap();
        let first = settle(&links, &old, &Former::default()).await;
        assert_eq!((&first.settled, first.stable.is_some()), (&Settled::New, true));
        links.put(&old, &maya, IfLinked::Refuse, noon()).await.unwrap();
        let moved = settle(&links, &new, &was(&[&old])).await;
        assert_eq!(moved.settled, Settled::Moved(old.clone()));
        assert_eq!(moved.stable, first.stable, "the name that stays theirs");
        assert_eq!((account(&links, &new).await.as_deref(), account(&links, &old).await), (Some("maya"), None));
        let of_account = links.of_account(&maya, noon()).await.unwrap();
        assert_eq!(of_account.iter().map(|link| &link.subject).collect::<Vec<_>>(), [&new]);
        // A second time nothing happens, and the word of the old carrier is not looked at.
        assert_eq!(
            settle(&links, &new, &was(&[&old])).await,
            Settlement { settled: Settled::Known, stable: first.stable.clone() }
        );
        // Whoever comes by the old name is somebody else, whatever they say.
        let later = settle(&links, &old, &Former::default()).await;
        assert_eq!(later.settled, Settled::New);
        assert_ne!(later.stable, first.stable);
        assert_eq!(account(&links, &old).await, None);
        assert_eq!(account(&links, &new).await.as_deref(), Some("maya"));
    }
}

// S10
#[tokio::test]
async fn a_name_that_moved_moves_to_nobody_else() {
    let links = links(&memory());
    let (old, new, second) = (person(A, "old"), person(B, "new"), person(B, "second"));
    links.put(&old, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    settle(&links, &new, &was(&[&old])).await;
    let refused = settle(&links, &second, &was(&[&old])).await;
    assert_eq!((refused.settled, refused.stable.is_some()), (Settled::Conflict, true));
    assert_eq!(account(&links, &second).await, None);
    // Not even when somebody new is known by the old name, and linked.
    links.put(&old, &AccountName::parse("noor").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let third = settle(&links, &person(C, "third"), &was(&[&old])).await;
    assert_eq!(third.settled, Settled::Conflict);
    assert_eq!(account(&links, &old).await.as_deref(), Some("noor"), "the twin");
}

#[tokio::test]
async fn two_people_never_become_one() {
    let links = links(&memory());
    let (one, other, new) = (person(A, "one"), person(C, "other"), person(B, "new"));
    for (subject, account) in [(&one, "maya"), (&other, "noor")] {
        links.put(subject, &AccountName::parse(account).unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    }
    let open = settle(&links, &new, &was(&[&one, &other])).await;
    assert_eq!(open, Settlement { settled: Settled::Ambiguous, stable: None });
    assert_eq!((account(&links, &one).await.as_deref(), account(&links, &new).await), (Some("maya"), None));
    // The twin: one of the two is nobody here.
    links.remove(&other, noon()).await.unwrap();
    assert_eq!(settle(&links, &new, &was(&[&one, &other])).await.settled, Settled::Moved(one));
}

// S12
#[tokio::test]
async fn what_cannot_be_proven_now_is_left_open() {
    let links = links(&memory());
    let (old, new) = (person(A, "old"), person(B, "new"));
    links.put(&old, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let open = settle(&links, &new, &Former { unproven: true, ..Former::default() }).await;
    assert_eq!(open, Settlement { settled: Settled::Unproven, stable: None });
    assert_eq!(links.known(&new, noon()).await.unwrap(), None, "the next sign-in asks again");
    assert_eq!(settle(&links, &new, &was(&[&old])).await.settled, Settled::Moved(old), "the twin");
}

#[tokio::test]
async fn somebody_who_moves_twice_or_comes_back_is_who_they_were() {
    let links = links(&memory());
    let (a, b, c) = (person(A, "a"), person(B, "b"), person(C, "c"));
    links.put(&a, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let first = settle(&links, &b, &was(&[&a])).await.stable;
    let second = settle(&links, &c, &was(&[&a, &b])).await;
    assert_eq!(second, Settlement { settled: Settled::Moved(b.clone()), stable: first.clone() });
    let back = settle(&links, &a, &was(&[&b, &c])).await;
    assert_eq!(back, Settlement { settled: Settled::Moved(c.clone()), stable: first.clone() });
    assert_eq!(account(&links, &a).await.as_deref(), Some("maya"));
    assert_eq!(settle(&links, &person(C, "again"), &was(&[&a])).await.settled, Settled::Moved(a));
}

#[tokio::test]
async fn of_two_gateways_that_move_somebody_at_once_one_does() {
    let store = memory();
    let gateways = [links(&store), links(&store)];
    let (old, new) = (person(A, "old"), person(B, "new"));
    gateways[0].put(&old, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let former = was(&[&old]);
    let all = (0..20).map(|n| gateways[n % 2].settle(&new, &former, noon()));
    let all = futures_util::future::join_all(all).await;
    let moved = all.iter().filter(|outcome| matches!(outcome.as_ref().unwrap().settled, Settled::Moved(_))).count();
    assert_eq!(moved, 1);
    assert!(all.iter().all(|outcome| outcome.as_ref().unwrap().stable == all[0].as_ref().unwrap().stable));
    // And of two people with the same word of the old carrier one gets it.
    let (old, former) = (new.clone(), was(&[&new]));
    let rivals: Vec<_> = (0..10).map(|n| person(C, &format!("rival-{n}"))).collect();
    let all = rivals.iter().enumerate().map(|(n, rival)| gateways[n % 2].settle(rival, &former, noon()));
    let all = futures_util::future::join_all(all).await;
    let moved = all.iter().filter(|outcome| outcome.as_ref().unwrap().settled == Settled::Moved(old.clone())).count();
    assert_eq!(moved, 1, "{all:?}");
}

#[tokio::test]
async fn somebody_moves_from_under_an_earlier_key() {
    let store = memory();
    let (old, new) = (person(A, "old"), person(B, "new"));
    links(&store).put(&old, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let rotated = links_with(&store, 2, &[1]);
    assert_eq!(settle(&rotated, &new, &was(&[&old])).await.settled, Settled::Moved(old.clone()));
    assert_eq!((account(&rotated, &new).await.as_deref(), account(&rotated, &old).await), (Some("maya"), None));
    assert_eq!(settle(&rotated, &person(C, "c"), &was(&[&old])).await.settled, Settled::Conflict);
}

#[tokio::test]
async fn whoever_is_unlinked_keeps_their_name_and_a_trace_stays() {
    let links = links(&memory());
    let (old, new) = (person(A, "old"), person(B, "new"));
    links.put(&old, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let stable = settle(&links, &new, &was(&[&old])).await.stable;
    assert_eq!(links.remove(&new, noon()).await.unwrap().unwrap().account.as_str(), "maya");
    assert_eq!(links.remove(&new, noon()).await.unwrap(), None);
    assert_eq!(links.remove(&old, noon()).await.unwrap(), None);
    assert_eq!(settle(&links, &new, &Former::default()).await, Settlement { settled: Settled::Known, stable });
    assert_eq!(settle(&links, &person(C, "c"), &was(&[&old])).await.settled, Settled::Conflict);
}

#[tokio::test]
async fn a_table_of_everybody_keeps_names_and_traces() {
    let ours = links(&memory());
    let (old, new, alone) = (person(A, "old"), person(B, "new"), person(A, "alone"));
    ours.put(&old, &AccountName::parse("maya").unwrap(), IfLinked::Refuse, noon()).await.unwrap();
    let stable = settle(&ours, &new, &was(&[&old])).await.stable;
    settle(&ours, &alone, &Former::default()).await;
    let export = async |links: &Links| {
        let mut people = Vec::new();
        let mut bucket = 0;
        while let Some(listed) = links.listed(bucket, noon()).await.unwrap() {
            people.extend(listed.people);
            bucket += 1;
        }
        people.sort_by(|a, b| a.subject.cmp(&b.subject));
        [table::head(true).into_bytes(), table::write_people(&people)].concat()
    };
    let saved = export(&ours).await;
    let rows = table::read(&saved, |issuer| [A, B].contains(&issuer)).unwrap();
    assert_eq!(rows.len(), 3);
    let others = links(&memory());
    for row in &rows {
        assert_eq!(others.restore(&row.person, IfLinked::Refuse, noon()).await, Ok(Written::New), "{row:?}");
        assert_eq!(others.restore(&row.person, IfLinked::Refuse, noon()).await, Ok(Written::Same), "{row:?}");
    }
    assert_eq!(export(&others).await, saved);
    assert_eq!(settle(&others, &new, &Former::default()).await.stable, stable);
    assert_eq!(account(&others, &new).await.as_deref(), Some("maya"));
    assert_eq!(settle(&others, &person(C, "c"), &was(&[&old])).await.settled, Settled::Conflict, "the trace");
    // What is kept is not lost to a table that says otherwise.
    let other = Person { gone: None, stable: StableSubject::parse("x").ok(), ..rows[0].person.clone() };
    assert_eq!(others.restore(&other, IfLinked::Refuse, noon()).await, Err(LinkError::Differs));
}
