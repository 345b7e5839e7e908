package api

// Region is a region in which the service has an endpoint.
type Region struct {
	ID       string
	Endpoint string // host name of the public endpoint
}

// regions are the 26 endpoints of the API reference, in its order.
var regions = func() []Region {
	ids := []string{
		"cn-hangzhou", "cn-shanghai", "cn-qingdao", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote",
		"cn-wulanchabu", "cn-shenzhen", "cn-heyuan", "cn-guangzhou", "cn-chengdu", "cn-hongkong",
		"ap-southeast-1", "ap-southeast-3", "ap-southeast-5", "ap-northeast-1", "eu-central-1", "eu-west-1",
		"us-west-1", "us-east-1", "ap-south-1", "ap-southeast-6",
		"cn-hangzhou-finance", "cn-shanghai-finance-1", "cn-shenzhen-finance-1", "cn-beijing-finance-1",
	}
	rs := make([]Region, len(ids))
	for i, id := range ids {
		rs[i] = Region{ID: id, Endpoint: "alikafka." + id + ".aliyuncs.com"}
	}
	return rs
}()

// Regions returns the documented regions.
func Regions() []Region { return regions }
