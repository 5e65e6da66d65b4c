// Leads the Web SDK's calls to the local edge. Only the demo has this file: a real shop calls Adobe.
(function () {
  "use strict";
  var edge = document.currentScript.dataset.edge;
  var hosts = /^https:\/\/(edge\.adobedc\.net|adobedc\.demdex\.net)(?=\/)/;
  var local = function (url) {
    return String(url).replace(hosts, edge);
  };
  var send = window.fetch;
  window.fetch = function (url, options) {
    return send.call(window, local(url), options);
  };
  var beacon = navigator.sendBeacon;
  navigator.sendBeacon = function (url, data) {
    return beacon.call(navigator, local(url), data);
  };
})();
