//! What becomes of values that do not fit.

use super::*;
use crate::identity::headers::left_out;
use crate::oidc::claims::{LeftOut, Why};

fn settings(too_long: TooLong, encoding: Encoding) -> IdentityHeaderSettings {
    let groups = HeaderRule { name: "X-Groups".to_owned(), claim: "groups".to_owned(), encoding, too_long };
    IdentityHeaderSettings { map: vec![groups, rule("X-Sub", "sub", Encoding::Percent)], ..Default::default() }
}

fn groups(count: usize) -> Identity {
    let groups = (0..count).map(|number| format!("{number:036}")).collect();
    Identity::restore(with_claim("groups", ClaimValue::List(groups)))
}

fn value(set: &HeaderSet) -> Option<String> {
    set.iter().find(|(name, _)| name.as_str() == "x-groups").map(|(_, value)| value.to_str().unwrap().to_owned())
}

fn said(settings: &IdentityHeaderSettings, identity: &Identity) -> Vec<(String, Why)> {
    let plan = HeaderPlan::compile(settings).unwrap();
    left_out(&[plan], identity).into_iter().map(|LeftOut { claim, why }| (claim, why)).collect()
}

// PF01: 110 groups of 36 letters fit into 4 KiB, 111 do not.
#[test]
fn a_list_that_does_not_fit_becomes_what_the_operator_chose_and_is_said() {
    let render = |too_long, count| {
        let settings = settings(too_long, Encoding::Percent);
        let identity = groups(count);
        (HeaderPlan::compile(&settings).unwrap().render(&identity), said(&settings, &identity))
    };
    for too_long in [TooLong::LeaveOut, TooLong::Truncate, TooLong::Refuse] {
        let (set, said) = render(too_long, 110);
        assert_eq!(value(&set).unwrap().split(',').count(), 110, "the twin: what fits is told whole");
        assert!(set.refused().is_none() && set.omitted() == 0 && said.is_empty());
    }
    let (set, notes) = render(TooLong::LeaveOut, 111);
    assert_eq!((value(&set), set.omitted(), set.refused()), (None, 1, None));
    assert_eq!(notes, [("groups".to_owned(), Why::HeaderTooLong)]);
    let (set, notes) = render(TooLong::Truncate, 111);
    let cut = value(&set).unwrap();
    assert!(cut.split(',').enumerate().all(|(number, group)| group == format!("{number:036}")), "whole, the first");
    assert_eq!((cut.split(',').count(), set.omitted()), (110, 0));
    assert_eq!(notes, [("groups".to_owned(), Why::Truncated)]);
    let (set, notes) = render(TooLong::Refuse, 111);
    assert_eq!((value(&set), set.refused().unwrap().as_str()), (None, "x-groups"));
    assert_eq!(notes, [("groups".to_owned(), Why::HeaderTooLong)]);
}

#[test]
fn a_list_is_cut_between_its_elements_in_every_encoding() {
    for encoding in [Encoding::Percent, Encoding::Ascii, Encoding::Base64Url] {
        for max_value in 256..330 {
            let settings = IdentityHeaderSettings { max_value, ..settings(TooLong::Truncate, encoding) };
            let list: Vec<String> = (0..100).map(|number| format!("g{number:02},%")).collect();
            let identity = Identity::restore(with_claim("groups", ClaimValue::List(list.clone())));
            let cut = value(&HeaderPlan::compile(&settings).unwrap().render(&identity)).unwrap();
            assert!(cut.len() <= max_value, "{encoding:?} {max_value}");
            let plain = match encoding {
                Encoding::Base64Url => {
                    use base64::Engine as _;
                    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&cut).unwrap();
                    String::from_utf8(bytes).unwrap()
                }
                _ => cut,
            };
            let elements: Vec<_> =
                plain.split(',').map(|element| element.replace("%2C", ",").replace("%25", "%")).collect();
            assert_eq!(elements, list[..elements.len()], "{encoding:?} {max_value}");
        }
    }
}

#[test]
fn a_text_is_never_cut() {
    for (too_long, refused) in [(TooLong::LeaveOut, false), (TooLong::Truncate, false), (TooLong::Refuse, true)] {
        let identity = Identity::restore(with_claim("groups", text(&"a".repeat(MAX_VALUE + 1))));
        let set = HeaderPlan::compile(&settings(too_long, Encoding::Percent)).unwrap().render(&identity);
        assert_eq!((value(&set), set.refused().is_some()), (None, refused), "{too_long:?}");
    }
    let one = Identity::restore(with_claim("groups", ClaimValue::List(vec!["a".repeat(MAX_VALUE + 1)])));
    let set = HeaderPlan::compile(&settings(TooLong::Truncate, Encoding::Percent)).unwrap().render(&one);
    assert_eq!((value(&set), set.omitted()), (None, 1), "not even one element fits");
}

#[test]
fn the_limits_are_the_routes_and_nothing_but_length_refuses() {
    let wide = IdentityHeaderSettings {
        max_value: 64 * 1024,
        max_total: 64 * 1024,
        ..settings(TooLong::Refuse, Encoding::Percent)
    };
    let set = HeaderPlan::compile(&wide).unwrap().render(&groups(500));
    assert_eq!((value(&set).unwrap().split(',').count(), set.refused()), (500, None));
    let narrow = IdentityHeaderSettings { max_total: 300, ..settings(TooLong::LeaveOut, Encoding::Percent) };
    assert_eq!(said(&narrow, &groups(20)), [("groups".to_owned(), Why::HeadersTooLong)]);
    let odd = Identity::restore(with_claim("groups", ClaimValue::List(vec!["é".to_owned()])));
    let ascii = settings(TooLong::Refuse, Encoding::Ascii);
    assert_eq!(HeaderPlan::compile(&ascii).unwrap().render(&odd).refused(), None);
    assert_eq!(said(&ascii, &odd), [("groups".to_owned(), Why::Encoding)]);
}
