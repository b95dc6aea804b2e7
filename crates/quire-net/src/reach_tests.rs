//! What a node says of itself, and when it asks again.

use super::*;

const HOME: &str = "/ip4/192.168.1.5/tcp/8070";
const OUTSIDE: &str = "/ip4/5.6.7.8/tcp/8070";

fn at(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn at_home(nat: Nat) -> Reach {
    let mut reach = Reach::new(nat);
    reach.listens(at("/ip4/127.0.0.1/tcp/8070"), true);
    reach.listens(at(HOME), true);
    reach
}

fn test(reach: &mut Reach, address: &str, answer: Answer, now: Instant) {
    assert_eq!(reach.next_test(now), Some(at(address)));
    reach.tested(&at(address), PeerId::random(), answer, now, 0.0);
}

fn failed() -> Answer {
    Answer::NotReached("no connection".into())
}

#[test]
fn on_a_private_network_all_but_loopback_is_announced_and_lookups_are_served() {
    let mut reach = at_home(Nat::None);
    assert_eq!(reach.announced(), [at(HOME)]);
    assert!(reach.serves_lookups());
    assert_eq!(reach.standing(), Standing::Unknown);
    assert_eq!(reach.next_test(Instant::now()), None);
    reach.observe(&at("/ip4/192.168.1.77/tcp/8070"));
    assert_eq!(reach.announced(), [at(HOME)]);
}

#[test]
fn a_loopback_listener_that_was_asked_for_is_announced_on_its_own_network_only() {
    let mut reach = Reach::new(Nat::None);
    reach.listens(at("/ip4/127.0.0.1/tcp/1"), false);
    assert_eq!(reach.announced(), [at("/ip4/127.0.0.1/tcp/1")]);
    reach.observe(&at(OUTSIDE));
    assert!(reach.announced().is_empty());
}

#[test]
fn behind_a_router_nothing_is_announced_until_a_test_succeeds() {
    let mut reach = at_home(Nat::None);
    reach.observe(&at(OUTSIDE));
    assert!(reach.announced().is_empty());
    assert!(!reach.serves_lookups());
    test(&mut reach, OUTSIDE, Answer::Reached, Instant::now());
    assert_eq!(reach.standing(), Standing::Public);
    assert_eq!(reach.announced(), [at(OUTSIDE)]);
    assert!(reach.serves_lookups());
}

#[test]
fn a_private_node_wants_a_relay_and_announces_it() {
    let (mut reach, now) = (at_home(Nat::None), Instant::now());
    reach.observe(&at(OUTSIDE));
    assert!(!reach.wants_relay());
    test(&mut reach, OUTSIDE, failed(), now);
    assert_eq!(reach.standing(), Standing::Private);
    assert!(reach.wants_relay());
    let (relay, circuit) = (PeerId::random(), at("/ip4/9.9.9.9/tcp/1/p2p-circuit"));
    reach.relayed_by(relay, circuit.clone());
    assert_eq!(reach.standing(), Standing::Relayed);
    assert_eq!(reach.announced(), [circuit]);
    reach.relay_lost(&relay);
    assert_eq!(reach.standing(), Standing::Private);
}

#[test]
fn a_failed_address_is_tried_again_ever_more_rarely_and_at_once_with_a_new_tester() {
    let (mut reach, mut now) = (at_home(Nat::None), Instant::now());
    reach.observe(&at(OUTSIDE));
    for pause in [15, 30, 60, 120, 240, 480, 600, 600] {
        test(&mut reach, OUTSIDE, failed(), now);
        assert_eq!(reach.next_test(now + Duration::from_secs(pause - 1)), None);
        now += Duration::from_secs(pause);
    }
    test(&mut reach, OUTSIDE, failed(), now);
    reach.tester_came();
    test(&mut reach, OUTSIDE, Answer::Reached, now);
    assert_eq!(reach.standing(), Standing::Public);
}

#[test]
fn one_failure_does_not_undo_a_success_but_two_do() {
    let (mut reach, mut now) = (at_home(Nat::None), Instant::now());
    reach.observe(&at(OUTSIDE));
    test(&mut reach, OUTSIDE, Answer::Reached, now);
    now += GOOD_FOR;
    test(&mut reach, OUTSIDE, failed(), now);
    assert_eq!(reach.standing(), Standing::Public);
    now += FIRST_RETRY;
    test(&mut reach, OUTSIDE, failed(), now);
    assert_eq!(reach.standing(), Standing::Private);
}

#[test]
fn a_tester_that_does_not_test_says_nothing() {
    let (mut reach, now) = (at_home(Nat::None), Instant::now());
    reach.observe(&at(OUTSIDE));
    test(&mut reach, OUTSIDE, Answer::NotTried("busy".into()), now);
    assert_eq!(reach.standing(), Standing::Unknown);
    assert_eq!(reach.next_test(now), None);
    assert_eq!(reach.next_test(now + UNTRIED_RETRY), Some(at(OUTSIDE)));
}

#[test]
fn what_the_operator_says_is_announced_and_replaces_everything_else() {
    let mut reach = at_home(Nat::External("5.6.7.9".parse().unwrap()));
    reach.listens(at("/ip4/10.0.0.7/tcp/8070"), true);
    reach.observe(&at(OUTSIDE));
    assert_eq!(reach.announced(), [at("/ip4/5.6.7.9/tcp/8070")]);
    assert!(reach.serves_lookups());
}

#[test]
fn a_mapping_is_announced_until_a_test_says_otherwise() {
    let (mut reach, now) = (at_home(Nat::Upnp), Instant::now());
    reach.mapped(at(HOME), at(OUTSIDE));
    assert_eq!(reach.announced(), [at(OUTSIDE)]);
    test(&mut reach, OUTSIDE, failed(), now);
    assert!(reach.announced().is_empty());
    assert!(!reach.serves_lookups());
}

#[test]
fn a_node_on_the_internet_serves_lookups_before_anybody_tested_it() {
    let (mut reach, now) = (Reach::new(Nat::None), Instant::now());
    reach.listens(at(OUTSIDE), true);
    reach.listens(at("/ip4/10.0.0.7/tcp/8070"), true);
    assert!(reach.serves_lookups());
    assert_eq!(reach.announced(), [at(OUTSIDE)]);
    test(&mut reach, OUTSIDE, failed(), now);
    assert!(!reach.serves_lookups());
}

#[test]
fn peers_cannot_fill_the_memory_with_addresses() {
    let mut reach = at_home(Nat::None);
    for _ in 0..3 {
        reach.observe(&at(OUTSIDE));
    }
    for number in 0..1000 {
        reach.observe(&at(&format!("/ip4/8.8.8.8/tcp/{}", number + 1)));
    }
    let snapshot = reach.snapshot(0, 0);
    assert_eq!(snapshot.observed.len(), MAX_OBSERVED);
    assert!(snapshot.observed.contains(&at(OUTSIDE)));
    assert_eq!(reach.candidates().len(), MAX_CANDIDATES);
    assert_eq!(reach.candidates()[0], at(OUTSIDE));
}
