use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use super::fixture::Desktop;
use super::process::Process;

/// How the driver names the reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A hand on keyboard and mouse in the app's window, over a web driver.
pub struct Window<'a> {
    desktop: &'a Desktop,
    _driver: Process,
    agent: Agent,
    /// Its address.
    session: String,
}

impl<'a> Window<'a> {
    /// Takes the window of a running app over.
    pub async fn attach(desktop: &'a Desktop, driver: Process, port: u16) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        let sessions = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({ "capabilities": { "alwaysMatch": {} } });
        let id = desktop
            .until("a hand in the window", async || {
                let session = send(&agent, &sessions, &wanted)?;
                Ok(session["sessionId"].as_str().ok_or_else(|| session.to_string())?.to_owned())
            })
            .await;
        Self { desktop, _driver: driver, agent, session: format!("{sessions}/{id}") }
    }

    /// Waits until the page says so.
    pub async fn says(&self, text: &str) {
        self.until(&format!("{text:?} in the window"), || {
            let page = self.text()?;
            if page.contains(text) { Ok(()) } else { Err(page) }
        })
        .await;
    }

    /// Waits until the page has the heading.
    pub async fn is_headed(&self, heading: &str) {
        self.has(&format!("//h1[normalize-space()='{heading}']")).await;
    }

    /// Waits until there is an element.
    pub async fn has(&self, xpath: &str) {
        self.until(xpath, || self.find(xpath).map(drop)).await;
    }

    /// How many elements there are now.
    pub fn count(&self, xpath: &str) -> usize {
        let found = self.command("elements", &json!({ "using": "xpath", "value": xpath }));
        found.ok().and_then(|found| Some(found.as_array()?.len())).unwrap_or_default()
    }

    /// Clicks a link, by its text.
    pub async fn follow(&self, text: &str) {
        self.click(&format!("//a[normalize-space()='{text}']")).await;
    }

    /// Clicks a button, by its text.
    pub async fn press(&self, text: &str) {
        self.click(&format!("//button[normalize-space()='{text}'][not(@disabled)]")).await;
    }

    /// Chooses one of a group, both by their text.
    pub async fn choose(&self, group: &str, text: &str) {
        let group = format!(
            "//*[@role='radiogroup'][@aria-labelledby=//*[normalize-space()='{group}']/@id]"
        );
        self.click(&format!("{group}//label[normalize-space()='{text}']")).await;
    }

    /// Types into a field, by its label.
    pub async fn fill(&self, label: &str, text: &str) {
        let field = format!("//*[@id=//label[normalize-space()='{label}']/@for]");
        self.until(&format!("the field {label}"), || {
            let element = self.find(&field)?;
            self.command(&format!("element/{element}/clear"), &json!({}))?;
            self.command(&format!("element/{element}/value"), &json!({ "text": text }))
        })
        .await;
    }

    /// Clicks an element, once there is one to click.
    pub async fn click(&self, xpath: &str) {
        self.until(xpath, || {
            let element = self.find(xpath)?;
            // The driver would be content with a place under the sticky bar.
            let reference = json!([{ ELEMENT: element }]);
            self.script("arguments[0].scrollIntoView({ block: 'center' })", &reference)?;
            self.command(&format!("element/{element}/click"), &json!({}))
        })
        .await;
    }

    /// Presses a key.
    pub fn key(&self, key: char) {
        let actions =
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("actions", &json!({ "actions": [keyboard] })).expect("a keyboard");
    }

    /// The text of what has the keyboard.
    pub fn focused(&self) -> String {
        let text =
            self.script("return document.activeElement.innerText", &json!([])).expect("a page");
        text.as_str().unwrap_or_default().trim().to_owned()
    }

    fn text(&self) -> Result<String, String> {
        let text = self.script("return document.body.innerText", &json!([]))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    fn script(&self, script: &str, arguments: &Value) -> Result<Value, String> {
        self.command("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    fn find(&self, xpath: &str) -> Result<String, String> {
        let found = self.command("element", &json!({ "using": "xpath", "value": xpath }))?;
        found[ELEMENT].as_str().map(str::to_owned).ok_or_else(|| found.to_string())
    }

    fn command(&self, path: &str, body: &Value) -> Result<Value, String> {
        send(&self.agent, &format!("{}/{path}", self.session), body)
    }

    /// As [`Desktop::until`], with the page's text when it fails.
    async fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
        let condition = async || {
            condition().map_err(|last| {
                let page = self.text().unwrap_or_else(|error| error);
                format!("{last}\n--- the page ---\n{page}")
            })
        };
        self.desktop.until(what, condition).await
    }
}

fn send(agent: &Agent, address: &str, body: &Value) -> Result<Value, String> {
    let reply = agent.post(address).send_json(body).map_err(|error| error.to_string())?;
    let ok = reply.status().is_success();
    let mut reply: Value = reply.into_body().read_json().map_err(|error| error.to_string())?;
    let value = reply["value"].take();
    if ok { Ok(value) } else { Err(value.to_string()) }
}
