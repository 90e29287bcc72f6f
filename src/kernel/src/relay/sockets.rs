//! The sockets that Jupyter's clients connect to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jupyter_protocol::ConnectionInfo;
use jupyter_protocol::messaging::JupyterMessage;
use jupyter_zmq_client as zmq;
use jupyter_zmq_client::{Connection, KernelIoPubXPubConnection, RawMessage, SubscriptionEvent};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zeromq::{RouterRecvHalf, RouterSendHalf, SocketRecv, ZmqMessage};

use super::message::{Message, news};

/// Which of a client's sockets a request came by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Channel {
    /// Requests in turn.
    Shell,
    /// Requests that do not wait for cells.
    Control,
}

/// The ways out.
#[derive(Clone)]
pub struct Sockets {
    everybody: UnboundedSender<JupyterMessage>,
    shell: UnboundedSender<JupyterMessage>,
    control: UnboundedSender<JupyterMessage>,
    waiting: Arc<AtomicUsize>,
}

impl Sockets {
    /// Opens all five; requests go to `requests`.
    ///
    /// # Errors
    /// A port is taken, or the address is not this machine's.
    pub async fn open(
        info: &ConnectionInfo,
        session: &str,
        requests: UnboundedSender<(Channel, Message)>,
    ) -> Result<Self, String> {
        let failed = |error: zmq::RuntimeError| {
            format!("the connection file's ports cannot be opened: {error}")
        };
        let iopub = zmq::create_kernel_iopub_xpub_connection(info, session)
            .await
            .map_err(failed)?;
        let shell = zmq::create_kernel_shell_connection(info, session)
            .await
            .map_err(failed)?;
        let control = zmq::create_kernel_control_connection(info, session)
            .await
            .map_err(failed)?;
        let mut stdin = zmq::create_kernel_stdin_connection(info, session)
            .await
            .map_err(failed)?;
        let mut heartbeat = zmq::create_kernel_heartbeat_connection(info)
            .await
            .map_err(failed)?;

        let waiting = Arc::new(AtomicUsize::new(0));
        let (everybody, messages) = unbounded_channel();
        tokio::spawn(publish(iopub, messages, Arc::clone(&waiting)));
        let (shell_out, messages) = unbounded_channel();
        let (send, receive) = shell.split();
        tokio::spawn(answer(send, messages));
        tokio::spawn(listen(receive, Channel::Shell, requests.clone()));
        let (control_out, messages) = unbounded_channel();
        let (send, receive) = control.split();
        tokio::spawn(answer(send, messages));
        tokio::spawn(listen(receive, Channel::Control, requests));
        // Nothing is asked of the reader, so nothing comes; but clients connect to it.
        tokio::spawn(async move { while stdin.socket.recv().await.is_ok() {} });
        tokio::spawn(async move { while heartbeat.single_heartbeat().await.is_ok() {} });
        Ok(Self {
            everybody,
            shell: shell_out,
            control: control_out,
            waiting,
        })
    }

    /// Tells everybody.
    pub fn publish(&self, message: JupyterMessage) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Without a reader the kernel is about to end.
        let _ = self.everybody.send(message);
    }

    /// Answers a request on the socket that it came by.
    pub fn answer(&self, channel: Channel, message: JupyterMessage) {
        let _ = match channel {
            Channel::Shell => self.shell.send(message),
            Channel::Control => self.control.send(message),
        };
    }

    /// How many messages have not gone out yet, shared with those that should not make more of
    /// them.
    pub fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }
}

async fn publish(
    mut iopub: KernelIoPubXPubConnection,
    mut messages: UnboundedReceiver<JupyterMessage>,
    waiting: Arc<AtomicUsize>,
) {
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else { return };
                if let Err(error) = iopub.send(message).await {
                    eprintln!("a message to all clients was not sent: {error}");
                }
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
            subscription = iopub.recv_subscription() => match subscription {
                Ok(SubscriptionEvent::Subscribe(topic)) => {
                    // A client that knows it waits for this before it asks.
                    let mut welcome = news("iopub_welcome", json!({"subscription": topic}), None);
                    welcome.zmq_identities = vec![topic.into_bytes().into()];
                    let _ = iopub.send(welcome).await;
                }
                Ok(SubscriptionEvent::Unsubscribe(_)) => {}
                // Nobody is connected yet, or a client sent nonsense.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
}

async fn answer(
    mut socket: Connection<RouterSendHalf>,
    mut messages: UnboundedReceiver<JupyterMessage>,
) {
    while let Some(message) = messages.recv().await {
        // The client may have gone in the meantime.
        if let Err(error) = socket.send(message).await {
            eprintln!("an answer was not sent: {error}");
        }
    }
}

async fn listen(
    mut socket: Connection<RouterRecvHalf>,
    channel: Channel,
    requests: UnboundedSender<(Channel, Message)>,
) {
    while let Ok(parts) = socket.socket.recv().await {
        match understand(&socket, parts) {
            Ok(message) => {
                if requests.send((channel, message)).is_err() {
                    return;
                }
            }
            Err(reason) => eprintln!("a message was not understood: {reason}"),
        }
    }
}

/// The next message on a socket.
///
/// # Errors
/// The socket is closed, or the message is not understood.
pub async fn read<S: SocketRecv>(socket: &mut Connection<S>) -> Result<Message, String> {
    let parts = socket
        .socket
        .recv()
        .await
        .map_err(|error| error.to_string())?;
    understand(socket, parts)
}

fn understand<S>(socket: &Connection<S>, parts: ZmqMessage) -> Result<Message, String> {
    RawMessage::from_multipart(parts, &socket.mac)
        .map_err(|error| error.to_string())
        .and_then(Message::read)
}
