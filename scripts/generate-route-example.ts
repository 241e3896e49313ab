/** A route that uses every field once; a test demands that it does, and that it is accepted. */
export const ROUTE_EXAMPLE = `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata:
  name: chat
  namespace: apps
spec:
  ingressClassName: holdfast
  hostnames:
  - chat.example.com
  - "*.chat.example.com"
  rules:
  # Clients that speak the newer subprotocol, from the beta programme only.
  - name: beta
    matches:
    - path: { type: Exact, value: /wsapp/live }
      headers: [{ name: X-Programme, value: beta }]
      queryParams: [{ name: version, value: "2" }]
      subprotocols: [chat.v2]
    backendRefs:
    # Needs a ReferenceGrant in namespace beta.
    - { name: chat-beta, namespace: beta, port: 8010 }
    # A session lives in one Pod: its polling and its WebSocket find the same one.
    affinity:
      cookie: { name: beta-pod, ttl: 8h, path: /wsapp, sameSite: None, secure: true }
    loadBalancing:
      algorithm: LeastTunnels
      slowStart: 1m
    rewrite:
      path: { type: ReplaceFullPath, value: /live }
      host: chat-beta.internal:8010
  # Everybody else: nine tunnels in ten to the stable Pods.
  - name: app
    matches:
    - path: { type: PathPrefix, value: /wsapp }
    backendRefs:
    - { name: chat, port: 8010, weight: 90 }
    - { name: chat-canary, port: 8010, weight: 10 }
    # Whoever comes with the same cookie finds the same Pod.
    loadBalancing:
      algorithm: ConsistentHash
      hashOn: { type: Cookie, name: session }
    health:
      panicPercent: 40
      passive:
        signs: [DialFailure, BadAnswer]
        failures: 10
        ejectFor: 2s
        ejectForAtMost: 1m
        maxEjectedPercent: 30
      active:
        type: WebSocket
        path: /health
        host: chat.internal
        port: 8011
        interval: 5s
        timeout: 1s
        unhealthyAfter: 2
        healthyAfter: 1
    retry:
      reasons: [Connect, "503"]
      attempts: 2
      budgetPercent: 10
    # After a Pod is lost its clients come back at a pace that the others can take.
    admission:
      maxTunnels: 50000
      maxTunnelsPerBackend: 5000
      handshakesPerSecond: 500
      queue: { size: 200, timeout: 3s }
      holdUntilReady: { size: 5000, timeout: 1m }
    rewrite:
      path: { type: ReplacePrefixMatch, value: / }
    requestHeaders:
      remove: [X-Debug]
      set: [{ name: X-Tenant, value: apps }]
      add: [{ name: X-Seen-By, value: holdfast }]
    responseHeaders:
      set: [{ name: Cache-Control, value: no-store }]
    plainHTTP: Reject
    timeouts:
      handshake: 5s
      responseHeaders: 30s
      request: 10m
      idle: 1h
    lifetime:
      max: 12h
      jitterPercent: 30
    keepalive:
      ping: 45s
      timeout: 10s
      backendPing: 5m
    frames:
      strictness: Enforce
      maxMessageBytes: 1048576
      maxFragments: 64
      messagesPerSecond: 100
      bytesPerSecond: 4194304
      controlFramesPerSecond: 10
      onLimit: Pause
    drain:
      onBackendRemoval: Close
      onUnready: Keep
      onZeroWeight: Close
      within: 50s
      perSecond: 200
      close: { code: 1012, reason: the server restarts }
`;
