use super::*;

fn parse(raw: &str) -> Result<NormalTarget, TargetFault> {
    NormalTarget::parse(raw.as_bytes())
}

fn normal(raw: &str) -> String {
    parse(raw).unwrap().as_str().to_owned()
}

#[test]
fn an_ordinary_target_is_forwarded_byte_for_byte() {
    for raw in [
        "/",
        "/app",
        "/app/",
        "/app/index.html",
        "/.well-known/x",
        "/a..b/c...d/..e/f..",
        "/app?x=1",
        "/app?",
        "/app?a?b/../c\\d//e;..",
        "/wiki/K%C3%A4se",
        "/100%25",
        "/50%25off",
        "/a%20b",
        "/@scope/pkg;v=1/x",
        "/x[1]{2}|3^4`5'6",
        "/a?x=%2e%2e%2f%00%zz&q=[1]|{}",
        "/_next/%5B...slug%5D/page.js",
        "/%F0%9F%90%8C",
    ] {
        assert_eq!(normal(raw), raw);
    }
}

#[test]
fn path_and_query_are_told_apart_at_the_first_question_mark() {
    // H05
    let target = parse("/app?x=/public&y=?z").unwrap();
    assert_eq!((target.path(), target.query()), ("/app", Some("x=/public&y=?z")));
    let target = parse("/app").unwrap();
    assert_eq!((target.path(), target.query()), ("/app", None));
    let target = parse("/%61pp?").unwrap();
    assert_eq!((target.path(), target.query()), ("/app", Some("")));
}

#[test]
fn unreserved_escapes_are_decoded_and_the_others_get_one_spelling() {
    // H08
    assert_eq!(normal("/%61dmin"), "/admin");
    assert_eq!(normal("/%7euser/%2Dx%5f/%30"), "/~user/-x_/0");
    assert_eq!(normal("/k%c3%a4se/a%3fb%23"), "/k%C3%A4se/a%3Fb%23");
    assert_eq!(normal("/file%2ehtml"), "/file.html");
    assert_eq!(normal("/%61?%61%c3"), "/a?%61%c3");
}

#[test]
fn a_path_with_two_readings_is_refused() {
    use TargetFault::*;
    let cases: &[(&str, &[&str], TargetFault)] = &[
        // H01
        ("plain dots", &["/public/../admin", "/public/./../admin", "/..", "/.", "/a/.", "/a/..", "/.../a"], DotSegment),
        // H02
        ("encoded dots", &["/public/%2e%2e/admin", "/public/%2E./a", "/public/.%2e", "/%2e/a", "/a/%2e"], DotSegment),
        ("dots before an encoded delimiter", &["/a/..%3fx", "/a/.%23", "/a/%2e.%20%3F"], DotSegment),
        ("dots and spaces", &["/public/..%20/admin", "/%20../a", "/.%20./a", "/%20"], DotSegment),
        // H03
        (
            "encoded separators",
            &["/public%2f..%2fadmin", "/public/..%2Fadmin", "/a%5c..%5Cb", "/a%00"],
            EncodedSeparator,
        ),
        // H04
        (
            "twice encoded",
            &["/public/%252e%252e/admin", "/%252Fa", "/a%25%32%65", "/%25%32e", "/%252%65", "/%252525"],
            DoubleEncoding,
        ),
        // H06
        ("fragments", &["/admin#/public", "/public#/../admin", "/a?x#y", "/#"], Fragment),
        // H07
        ("empty segments", &["//admin", "///admin", "/a//b", "/a//", "//"], EmptySegment),
        ("a dot before an empty segment", &["/.//admin"], DotSegment),
        // H09
        (
            "parameters that hide dots",
            &["/public/..;/admin", "/public/.;x=1/a", "/..;", "/a/%2e%2e;x", "/a..;x/b"],
            Parameter,
        ),
        ("parameters that hide nothing", &["/;/admin", "/a/;x=1/b", "/%3b/a"], Parameter),
        ("encoded parameters", &["/public/..%3b/admin", "/a;.."], Parameter),
        ("dots after a parameter", &["/public;x=1/../admin"], DotSegment),
        ("backslashes", &["/x/..\\admin", "/\\evil", "/a\\b"], Separator),
        // H10
        ("raw space and quotes", &["/a b", "/a?b c", "/\"", "/<", "/>"], Unsafe),
        (
            "controls",
            &["/a\tb", "/a\x7f", "/a\r\n", "/a?\0", "/%0d%0a", "/%7F", "/%09", "/%1b", "/%c2%80", "/%C2%9F"],
            Control,
        ),
        ("raw beyond ASCII", &["/k\u{e4}se", "/a\u{2028}"], NotAscii),
        ("broken escapes", &["/%", "/%a", "/%zz", "/%%", "/a%2", "/%u002e", "/%2%65"], Escape),
        (
            "bytes that are no UTF-8",
            &["/%ff", "/%c0%ae", "/%e4", "/%c3a", "/%c3/%a4", "/%ed%a0%80", "/%f5%80%80%80", "/%a4", "/%e2%82"],
            InvalidUtf8,
        ),
        // H11
        ("a prefix and encoded dots", &["/svc%2f..", "/svc/..%2f.."], EncodedSeparator),
        // H17
        ("no origin-form", &["", "*", "admin", "?x", "http://app.test/admin", "%2fadmin", "\\admin"], NotOriginForm),
    ];
    for (what, targets, fault) in cases {
        for target in *targets {
            assert_eq!(parse(target), Err(*fault), "{what}: {target:?}");
        }
    }
}

fn read(raw: &str) -> Result<NormalTarget, TargetFault> {
    NormalTarget::read(raw.as_bytes())
}

#[test]
fn what_clients_send_raw_in_a_query_is_taken() {
    // W11
    let target = read("/q?q={app=\"x\"}|^`<>&n=\u{e9}").unwrap();
    assert_eq!(target.as_str(), "/q?q={app=%22x%22}|^`%3C%3E&n=%C3%A9");
    assert_eq!(target.forwarded(), "/q?q={app=%22x%22}|^`%3C%3E&n=\u{e9}");
    for (raw, fault) in [
        (&b"/q?a b"[..], TargetFault::Unsafe),
        (b"/q?\xe9", TargetFault::NotAscii),
        (b"/q?\xc2\x85", TargetFault::Control),
        (b"/q?\0", TargetFault::Control),
        (b"/q?#", TargetFault::Fragment),
    ] {
        assert_eq!(NormalTarget::read(raw), Err(fault));
    }
}

#[test]
fn a_target_keeps_the_clients_spelling_beside_its_own() {
    // W11
    for (sent, normal) in [("/%7Eu", "/~u"), ("/k%c3%a4se?%61", "/k%C3%A4se?%61"), ("/a`b", "/a`b")] {
        let target = read(sent).unwrap();
        assert_eq!((target.as_str(), target.is_odd()), (normal, false));
        assert_eq!(target.forwarded(), sent.replace('`', "%60"));
    }
    let mut target = read("/%7Eu").unwrap();
    target.forget_spelling();
    assert_eq!(target.forwarded(), "/~u");
    assert!(!read("/~u").unwrap().is_respelled());
}

#[test]
fn an_odd_target_is_kept_as_it_is_and_one_that_climbs_is_none() {
    // W07, W09, W11
    for (raw, only_as_is) in [
        ("/api/vhosts/%2F", true),
        ("/api/queues/%2f/q1", true),
        ("/@t3%2fx", true),
        ("/d1//a.txt", true),
        ("/x/https://host/", true),
        ("/100%2525.txt", true),
        ("/a%5Cb", true),
        ("/%20/x", true),
        ("/caf%E9", false),
        ("/it%92s", false),
        ("/...", false),
        ("/;x", false),
        ("/a/%3bx/b", false),
        ("/;x//a", true),
    ] {
        let target = read(raw).unwrap();
        let odd = target.odd().unwrap();
        assert_eq!((target.forwarded(), target.as_str(), odd.only_as_is), (raw, raw, only_as_is));
        assert_eq!(Err(odd.fault), parse(raw));
        assert_eq!(ReturnTo::local(&target).target(), "/", "nobody is sent there");
    }
    // H01-H04, H06, H07, H09, H10: what could lead out of a prefix, in any reading.
    for raw in [
        "/a/../b",
        "/a/./b",
        "/a/%2e%2e/b",
        "/a%2f..%2fb",
        "/a%2F%2E%2E%2Fb",
        "/a/%252e%252e/b",
        "/a%252f..%252fb",
        "/a/..%252f",
        "/a/..;/b",
        "/a/..;x=1/b",
        "/a/..%3bx/b",
        "/a/..%253bx/b",
        "/a%5c..%5cb",
        "/a/..%20/b",
        "/a/.%20./b",
        "/a/..%3f",
        "/a/%2e%2e%23",
        "/a/.../../b",
        "/a/%2e%2e%2e",
        "/a/..../%2e",
        "/a%2f...",
        "/a/%25252525252e",
        "/a//%c0%ae%c0%ae/b",
        "/a%2f%c0%afb",
        "/a/%e0%80%af",
        "/a/%f0%80%80%af",
        "/a//%ed%a0%80",
        "/a%00",
        "/a//%2500",
        "/a/%0d%0a",
        "/a//%250d",
        "/a//%7f",
        "/a//%c2%85",
        "/a//%",
        "/a//%zz",
        "/a\\b",
        "/a//\u{e9}",
        "/a//b c",
        "/a//<",
        "/a//\"",
        "/a//#",
        "//\\x",
        "x//y",
        "*",
    ] {
        assert!(read(raw).is_err(), "{raw}: {:?}", read(raw));
    }
}

#[test]
fn a_target_has_a_longest_length_and_not_a_byte_more() {
    let longest = format!("/{}", "a".repeat(MAX_TARGET - 1));
    assert_eq!(normal(&longest), longest);
    assert_eq!(parse(&format!("{longest}a")), Err(TargetFault::TooLong));
}

#[test]
fn the_reserved_prefix_is_known_in_every_spelling() {
    // H13
    for inside in [
        "/oauth2",
        "/oauth2/",
        "/oauth2/start?rd=/",
        "/OAUTH2/start",
        "/%6fauth2/x",
        "/oAuth2;x=1/start",
        "/oauth2%3bx",
        "/oauth2?x",
        "/oauth2/callback/x",
    ] {
        assert!(parse(inside).unwrap().is_under("/oauth2"), "{inside}");
        assert!(parse(inside).unwrap().is_under("/oauth2/"), "{inside}");
    }
    for outside in ["/", "/oauth", "/oauth2x", "/oauth22/start", "/x/oauth2", "/oauth2.0", "/oauth2%20"] {
        assert!(!parse(outside).unwrap().is_under("/oauth2"), "{outside}");
    }
    assert!(parse("/oauth2/auth/../../app").is_err());
}

#[test]
fn what_is_logged_of_a_target_has_no_query() {
    // R02
    assert_eq!(format!("{:?}", parse("/a?code=canary").unwrap()), "NormalTarget(\"/a\")");
}

/// SplitMix64: small, and the same on every machine.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

/// A target of pieces that have fooled somebody before; about one in six is acceptable.
pub(crate) fn suspicious_target(rng: &mut Rng) -> String {
    const PIECES: &[&str] = &[
        "/",
        "/",
        "/",
        "/",
        ".",
        "..",
        "%2e",
        "%2E",
        "%25",
        "%32",
        "%65",
        "2e",
        "%61",
        "admin",
        "public",
        "a",
        "A",
        ";",
        "%3b",
        ";x=1",
        "%20",
        "%2f",
        "%5c",
        "\\",
        "?",
        "#",
        "%c3%a4",
        "%c0%ae",
        "%C2",
        "%41dmin",
        "@",
        "%40",
        "%",
        "~",
        "%7e",
        "%3f",
        "%ef%bc%8f",
        "%00",
        "+",
        "%64min",
    ];
    let mut target = String::from("/");
    for _ in 0..rng.below(9) {
        target.push_str(PIECES[rng.below(PIECES.len())]);
    }
    target
}

/// Decodes every escape once, without judgement; broken ones stay.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let escape =
            text.get(at + 1..at + 3).filter(|_| text[at] == b'%').and_then(|digits| str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (out.push(byte), at += 3).0,
            None => (out.push(text[at]), at += 1).0,
        }
    }
    out
}

fn has_dot_segment(path: &[u8]) -> bool {
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap();
    let segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap()).any(|s| s == b"." || s == b"..")
}

#[test]
fn what_is_accepted_has_one_reading_however_often_it_is_decoded() {
    let mut rng = Rng(1);
    let mut accepted = 0;
    for _ in 0..200_000 {
        let raw = suspicious_target(&mut rng);
        let Ok(target) = parse(&raw) else { continue };
        accepted += 1;
        // Idempotent: reading the result again changes nothing.
        assert_eq!(parse(target.as_str()).as_ref(), Ok(&target), "{raw}");
        assert_eq!(
            target.as_str().len(),
            target.path().len() + target.query().map_or(0, |query| query.len() + 1),
            "{raw}"
        );
        // The path means what the client wrote, read once.
        let (path, query) = raw.split_once('?').map_or((raw.as_str(), None), |(path, query)| (path, Some(query)));
        let decoded = target.decoded_path(Reading::Plain, usize::MAX);
        assert_eq!(*decoded, *decode(path.as_bytes()), "{raw}");
        assert_eq!(target.query(), query, "{raw}");
        // No dot segment and no new separator, now or after one or two more rounds of decoding.
        let once = decode(target.path().as_bytes());
        let twice = decode(&once);
        for (round, form) in [target.path().as_bytes(), &once, &twice].into_iter().enumerate() {
            assert!(!has_dot_segment(form), "round {round}: {raw}");
            assert!(!form.windows(2).any(|pair| pair == b"//"), "round {round}: {raw}");
            let slashes = |text: &[u8]| text.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count();
            assert_eq!(slashes(form), slashes(target.path().as_bytes()), "round {round}: {raw}");
        }
        assert!(target.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{raw}");
    }
    assert!(accepted > 10_000, "{accepted}");
}

#[test]
fn any_bytes_at_all_are_read_without_a_panic() {
    let mut rng = Rng(2);
    for _ in 0..100_000 {
        let mut raw = vec![b'/'];
        raw.extend((0..rng.below(12)).map(|_| match rng.below(3) {
            0 => b"%%/.;2eEfF5c0?#"[rng.below(15)],
            _ => rng.below(256) as u8,
        }));
        if let Ok(target) = NormalTarget::parse(&raw) {
            assert_eq!(NormalTarget::parse(target.as_str().as_bytes()), Ok(target));
        }
    }
}
