//! Signatures, permissions, bearer tokens, the cloud service and the journal.

use super::client::{Fixture, message};
use crate::{MockConfig, Permission};

#[tokio::test]
async fn signatures_permissions_and_bearer_tokens_are_checked() {
    let fixture = Fixture::start(5, MockConfig::default()).await;
    let path = "/rest/all/V1/orders?searchCriteria%5BpageSize%5D=1";
    let send = async |authorization: String| {
        fixture
            .send("GET", path, &[("authorization", authorization)], "")
            .await
            .unwrap()
    };
    let header = fixture.signed(path, "once", 0);
    assert_eq!(send(header.clone()).await.status, 200);
    assert!(message(&send(header).await).starts_with("The nonce is already being used"));
    assert_eq!(send(fixture.signed(path, "ahead", 660)).await.status, 400);
    assert_eq!(send(fixture.signed(path, "behind", -86_400)).await.status, 200);
    let other = fixture.signed("/rest/all/V1/orders?searchCriteria%5BpageSize%5D=2", "other", 0);
    assert!(message(&send(other).await).starts_with("The signature is invalid"));
    let bearer = || format!("Bearer {}", fixture.mock.config().consumer.token);
    let refused = send(bearer()).await;
    assert_eq!(
        (refused.status, refused.json()["parameters"]["resources"].as_str()),
        (401, Some("Magento_Sales::actions_view"))
    );
    fixture.mock.configure(|config| config.bearer = true);
    assert_eq!(send(bearer()).await.status, 200);
    fixture.mock.configure(|config| {
        config.permissions.remove(&Permission::Orders);
    });
    assert_eq!(
        message(&send(bearer()).await),
        "The consumer isn't authorized to access %resources."
    );
    fixture.mock.configure(|config| config.is_revoked = true);
    assert_eq!(
        message(&send(fixture.signed(path, "late", 0)).await),
        "Consumer key has expired"
    );
}

#[tokio::test]
async fn the_cloud_service_wants_a_token_of_ims_and_two_headers() {
    let fixture = Fixture::start(5, MockConfig::default()).await;
    let cloud = fixture.mock.config().cloud.clone();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=openid%2Ccommerce.accs",
        cloud.client_id, cloud.client_secret
    );
    let token = fixture
        .send("POST", "/ims/token/v3", &[], &form)
        .await
        .unwrap()
        .json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let wrong = form.replace("mock-client-secret", "x");
    assert_eq!(
        fixture
            .send("POST", "/ims/token/v3", &[], &wrong)
            .await
            .unwrap()
            .status,
        400
    );
    let path = "/mock-tenant/V1/orders?searchCriteria=all";
    let headers = |organization: &str| {
        [
            ("authorization", bearer.clone()),
            ("x-api-key", cloud.client_id.clone()),
            ("x-gw-ims-org-id", organization.to_owned()),
        ]
    };
    let status = async |organization: &str| {
        fixture
            .send("GET", path, &headers(organization), "")
            .await
            .unwrap()
            .status
    };
    assert_eq!(status(&cloud.organization).await, 200);
    assert_eq!(status("other").await, 403);
    fixture.mock.expire_tokens();
    assert_eq!(status(&cloud.organization).await, 401);
}

#[tokio::test]
async fn the_journal_is_read_with_a_token_until_its_end() {
    let fixture = Fixture::start(1, MockConfig::default()).await;
    let cloud = fixture.mock.config().cloud.clone();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=openid%2Cevent_receiver_api",
        cloud.client_id, cloud.client_secret
    );
    let token = fixture
        .send("POST", "/ims/token/v3", &[], &form)
        .await
        .unwrap()
        .json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let headers = [
        ("authorization", bearer),
        ("x-api-key", cloud.client_id),
        ("x-ims-org-id", cloud.organization),
    ];
    let position = fixture.mock.push_order_event(1, "000000001");
    let path = fixture.mock.journal_url().replace(&fixture.mock.url(), "");
    let first = fixture.send("GET", &path, &headers, "").await.unwrap();
    assert_eq!(
        first.json()["events"][0]["event"]["data"]["value"]["entity_id"],
        "1"
    );
    assert_eq!(
        first.headers["link"].to_str().unwrap(),
        format!("<{path}?since={position}>; rel=\"next\"")
    );
    let end = fixture
        .send("GET", &format!("{path}?since={position}"), &headers, "")
        .await
        .unwrap();
    assert_eq!(
        (end.status, end.headers["retry-after"].to_str().unwrap()),
        (204, "10")
    );
    fixture.mock.push_order_event(2, "000000002");
    fixture.mock.push_order_event(3, "000000003");
    fixture.mock.expire_events(1);
    assert_eq!(
        fixture
            .send("GET", &format!("{path}?since={position}"), &headers, "")
            .await
            .unwrap()
            .status,
        410
    );
    assert_eq!(fixture.send("GET", &path, &[], "").await.unwrap().status, 401);
}
