//! Pages of ours that stand in a frame of the app's own site.

use super::*;

// XS01, class E: no provider lets itself be framed, so what leads to one leads out of the frame.
#[tokio::test]
async fn whoever_may_not_open_a_page_in_a_frame_is_led_out_of_the_frame() {
    let mut story = Story::begin();
    story.sign_in().await;
    story.configure(
        &CONFIG.replace("access: session,", "access: session, require: { claims: { groups: [x] } },"),
        |_| {},
    );
    for (dest, framed) in [("iframe", true), ("document", false)] {
        story.headers = vec![("sec-fetch-mode", "navigate".to_owned()), ("sec-fetch-dest", dest.to_owned())];
        let reply = story.get("https://apps.example/app").await;
        let page = String::from_utf8_lossy(&reply.body);
        assert!(reply.status == 403 && page.contains("policy_unmet"), "{page}");
        assert_eq!(page.matches(" target=_top>").count(), if framed { 2 } else { 0 }, "{page}");
        let policy = reply.headers.iter().find(|(name, _)| *name == "content-security-policy").unwrap();
        assert_eq!(policy.1.to_str().unwrap().contains("frame-ancestors 'none'"), !framed, "or no browser shows it");
    }
}
