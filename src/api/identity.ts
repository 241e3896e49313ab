/** The API group of our custom resources. */
export const API_GROUP = "holdfast.dev";
/** The version that is served and stored; fields are only added to it once it is released. */
export const API_VERSION = "v1alpha1";
export const ROUTE_KIND = "WebSocketRoute";
export const ROUTE_PLURAL = "websocketroutes";
/** What an IngressClass names in `spec.controller` to be ours. */
export const CONTROLLER_NAME = "holdfast.dev/ingress";
/** EndpointSlices carry the name of their Service under this label (discovery.k8s.io/v1). */
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
